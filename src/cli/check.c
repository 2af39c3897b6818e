/* check.c - statefun check. */
#include "cli/command.h"

#include "egress/kafka_egress.h"
#include "egress/kinesis_egress.h"
#include "function/probe.h"
#include "ingress/kafka_ingress.h"
#include "ingress/kinesis_ingress.h"

#include <stdio.h>

enum { CONNECT_MS = 10 * 1000, CONNECT_FLAG = 1 };

const struct command_flag check_flags[] = {
    {"connect", 0, NULL,
     "Also call every endpoint, and ask every broker for its topics and Kinesis for its streams."},
    {0},
};

static bool tell(bool good, const struct spec_place *place, const char *what,
                 const struct spec_name *name, const struct sf_status *status)
{
    if (good)
        printf("%s:%u:%u: %s %s/%s answers\n", place->file, place->line, place->column, what,
               name->ns, name->name ? name->name : "*");
    else
        fprintf(stderr, "%s:%u:%u: error: %s %s/%s: %s\n", place->file, place->line, place->column,
                what, name->ns, name->name ? name->name : "*", status->message);
    return good;
}

static bool connect_all(const struct application *application)
{
    bool good = true;
    struct sf_status status;
    for (size_t i = 0; i < application->endpoint_count; i++) {
        const struct endpoint_spec *endpoint = &application->endpoints[i];
        good &= tell(endpoint_probe(endpoint, CONNECT_MS, &status), &endpoint->place, "endpoint",
                     &endpoint->functions, &status);
    }
    for (size_t i = 0; i < application->kafka_ingress_count; i++) {
        const struct kafka_ingress_spec *ingress = &application->kafka_ingresses[i];
        good &= tell(kafka_ingress_check(ingress, CONNECT_MS, &status), &ingress->place, "ingress",
                     &ingress->id, &status);
    }
    for (size_t i = 0; i < application->kafka_egress_count; i++) {
        const struct kafka_egress_spec *egress = &application->kafka_egresses[i];
        good &= tell(kafka_egress_check(egress, CONNECT_MS, &status), &egress->place, "egress",
                     &egress->id, &status);
    }
    for (size_t i = 0; i < application->kinesis_ingress_count; i++) {
        const struct kinesis_ingress_spec *ingress = &application->kinesis_ingresses[i];
        good &= tell(kinesis_ingress_check(ingress, CONNECT_MS, &status), &ingress->place,
                     "ingress", &ingress->id, &status);
    }
    for (size_t i = 0; i < application->kinesis_egress_count; i++) {
        const struct kinesis_egress_spec *egress = &application->kinesis_egresses[i];
        good &= tell(kinesis_egress_check(egress, CONNECT_MS, &status), &egress->place, "egress",
                     &egress->id, &status);
    }
    return good;
}

static void say_what_is_good(const struct application *application)
{
    size_t ingresses = application->kafka_ingress_count + application->kinesis_ingress_count +
                       application->http_ingress_count + application->library_ingress_count;
    size_t egresses = application->kafka_egress_count + application->kinesis_egress_count +
                      application->http_egress_count + application->library_egress_count;
    printf("good: %zu file%s, ", application->file_count, application->file_count == 1 ? "" : "s");
    if (application->library_count)
        printf("%zu librar%s, %zu embedded function%s, ", application->library_count,
               application->library_count == 1 ? "y" : "ies", application->library_function_count,
               application->library_function_count == 1 ? "" : "s");
    printf("%zu endpoint%s, %zu ingress%s, %zu egress%s\n", application->endpoint_count,
           application->endpoint_count == 1 ? "" : "s", ingresses, ingresses == 1 ? "" : "es",
           egresses, egresses == 1 ? "" : "es");
}

int check_run(const struct command *command, int argc, char **argv)
{
    int code;
    struct inputs inputs;
    if (!inputs_read(&inputs, command, argc, argv, &code))
        return code;
    struct application *application = inputs_load(&inputs, true);
    code = diagnostics_report(&inputs.diagnostics) || !application ? EXIT_WRONG : EXIT_GOOD;
    if (code == EXIT_GOOD && inputs.flags & CONNECT_FLAG && !connect_all(application))
        code = EXIT_FAILED;
    if (code == EXIT_GOOD)
        say_what_is_good(application);
    application_free(application);
    inputs_destroy(&inputs);
    return code;
}
