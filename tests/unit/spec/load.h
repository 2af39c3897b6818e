/* load.h - loads module text in a test and compares all that is reported with what was expected. */
#ifndef TESTS_SPEC_LOAD_H
#define TESTS_SPEC_LOAD_H

#include "test.h"

#include "spec/application.h"

#include <stdio.h>

#define FILE_NAME "m.yaml"

/* Documents that make a module complete beside the one that a test is about; put behind it. */
#define SOME_ENDPOINT                                                                              \
    "---\n"                                                                                        \
    "kind: io.statefun.endpoints.v2/http\n"                                                        \
    "spec: {functions: n/*, urlPathTemplate: 'http://h:1/f'}\n"
#define SOME_INGRESS                                                                               \
    "---\n"                                                                                        \
    "kind: io.statefun.playground.v1/ingress\n"                                                    \
    "spec: {port: 8090}\n"

/* What a test expects: the diagnostics in order, each "line:column: severity: part|part|..." (or
 * "severity: part|..." for one without a place). A list ends with NULL. */
enum { EXPECTED_MAX = 8 };

struct load_case {
    const char *yaml;
    const char *expected[EXPECTED_MAX];
};

static inline void print_diagnostics(const struct diagnostics *diagnostics)
{
    for (size_t i = 0; i < diagnostics->count; i++) {
        char *line = diagnostic_line(&diagnostics->items[i]);
        print_message("    %s\n", line);
        free(line);
    }
}

/* True if `line` begins as `expected` does and holds all its parts. */
static inline bool line_fits(const char *line, const char *expected)
{
    size_t file_size = strlen(FILE_NAME ":");
    if (!strncmp(line, FILE_NAME ":", file_size))
        line += file_size;

    char *copy = strdup(expected), *rest = copy;
    char *head = strsep(&rest, "|");
    bool fits = true;
    /* The head is "3:5: error: first part": the place and severity must stand at the start. */
    size_t place_size = strcspn(head, "ew"); /* of error and warning; places have digits only */
    char *colon = strstr(head + place_size, ": ");
    size_t head_size = colon ? (size_t)(colon + 2 - head) : strlen(head);
    fits = !strncmp(line, head, head_size) && strstr(line, head + head_size);
    for (char *part; fits && (part = strsep(&rest, "|"));)
        fits = strstr(line, part);
    free(copy);
    return fits;
}

static inline void assert_reported(const struct diagnostics *diagnostics,
                                   const char *const expected[EXPECTED_MAX], const char *what)
{
    size_t count = 0;
    while (count < EXPECTED_MAX && expected[count])
        count++;
    bool good = diagnostics->count == count;
    for (size_t i = 0; good && i < count; i++) {
        char *line = diagnostic_line(&diagnostics->items[i]);
        good = line_fits(line, expected[i]);
        free(line);
    }
    if (good)
        return;
    print_message("reported:\n");
    print_diagnostics(diagnostics);
    print_message("expected:\n");
    for (size_t i = 0; i < count; i++)
        print_message("    %s\n", expected[i]);
    fail_msg("other diagnostics than expected for:\n%s", what);
}

static inline struct application *load_text(const char *yaml,
                                            const struct application_options *options,
                                            struct diagnostics *diagnostics)
{
    static const struct application_options none;
    return application_load_text(FILE_NAME, bytes_of(yaml), options ? options : &none, diagnostics);
}

/* Loads text with these diagnostics; it must be refused exactly if one is an error. */
static inline void check_case(const struct load_case *c, const char *rest,
                              const struct application_options *options)
{
    struct diagnostics diagnostics = {0};
    char *yaml = NULL;
    assert_true(asprintf(&yaml, "%s%s", c->yaml, rest) >= 0);
    struct application *application = load_text(yaml, options, &diagnostics);
    assert_reported(&diagnostics, c->expected, yaml);
    if (diagnostics.error_count)
        assert_null(application);
    else
        assert_non_null(application);
    application_free(application);
    diagnostics_destroy(&diagnostics);
    free(yaml);
}

#define CHECK_CASES(cases, rest, options)                                                          \
    for (size_t i = 0; i < sizeof(cases) / sizeof *(cases); i++)                                   \
    check_case(&(cases)[i], rest, options)

/* Loads what must load, with at most warnings. */
static inline struct application *load_good(const char *yaml)
{
    struct diagnostics diagnostics = {0};
    struct application *application = load_text(yaml, NULL, &diagnostics);
    if (!application) {
        print_diagnostics(&diagnostics);
        fail_msg("expected to load:\n%s", yaml);
    }
    diagnostics_destroy(&diagnostics);
    return application;
}

#endif
