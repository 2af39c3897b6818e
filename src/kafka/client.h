/* client.h (kafka) - librdkafka set up our way: what the ingress, the egress and their checks
 * share.
 *
 * Makes configurations from checked specs, turns the library's log and errors into ours, and
 * notices outages: a cluster that cannot be reached is said once, and once more when it is back. No
 * secret reaches a message: those that librdkafka writes about properties hold their values, so
 * they are never passed on.
 *
 * This room may include spec and base. */
#ifndef KAFKA_CLIENT_H
#define KAFKA_CLIENT_H

#include "spec/application.h"
#include "statefun/status.h"

#include <librdkafka/rdkafka.h>
#include <stdatomic.h>

/* For application_options.kafka_knows. */
bool kafka_knows_property(const char *name);

/* Who is told about a client's brokers, and under what name. Lives as long as the client. What is
 * not given at the beginning is zero. With `is_out` true from the beginning, nothing is said. */
struct kafka_outage {
    const char *component; /* "ingress" or "egress": the key of the log field */
    const char *id;        /* "namespace/name" */
    const char *address;   /* the bootstrap servers, as configured */
    atomic_bool is_out;

    /* Of the thread that polls the client. */
    char reason[256];               /* why the last connection failed; empty: none did */
    rd_kafka_resp_err_t last_error; /* said already */
};

/* Any thread: logs the first of an episode and returns nothing. `reason` is librdkafka's own. */
void kafka_outage_begin(struct kafka_outage *outage, const char *reason);
void kafka_outage_end(struct kafka_outage *outage); /* brokers were heard of */

/* The thread that polls the client: what is behind an error, such as a timeout, as far as known. */
const char *kafka_outage_reason(const struct kafka_outage *outage, rd_kafka_resp_err_t error);

/* A configuration with the address, our defaults for every client, and the user's `properties`; log
 * and error callbacks lead to `outage`, which is also the configuration's opaque. The caller adds
 * what must not be overridden, with kafka_conf_set. False names the property that makes no sense
 * (never its value). */
SF_CHECK bool kafka_conf_new(const struct property_list *properties, struct kafka_outage *outage,
                             rd_kafka_conf_t **ret_conf, struct sf_status *status);

/* A setting of our own: aborts if librdkafka does not take it. */
void kafka_conf_set(rd_kafka_conf_t *conf, const char *name, const char *value);
void kafka_conf_set_number(rd_kafka_conf_t *conf, const char *name, int64_t value);

/* True if the user's properties set `name`. */
bool kafka_property_is_set(const struct property_list *properties, const char *name);

/* Takes the configuration, also on failure. */
SF_CHECK bool kafka_client_new(rd_kafka_type_t type, rd_kafka_conf_t *conf, rd_kafka_t **ret_client,
                               struct sf_status *status);

/* rd_kafka_destroy, but for at most `timeout_ms`: closing hangs in some versions when brokers are
 * away (2.0.2 among them). A client that does not end in time is left behind, with a line in the
 * log; it calls nobody back any more. All messages, topics and queues of the client must be gone,
 * and nobody may be polling it. */
void kafka_client_free(rd_kafka_t *client, uint64_t timeout_ms); /* NULL is fine */

/* The same, with something to be done first that may hang as well: it runs on a thread that may be
 * left behind, so all that it needs must belong to `argument`, and that to it. */
void kafka_client_free_after(rd_kafka_t *client, uint64_t timeout_ms, void (*first)(void *argument),
                             void *argument);

#endif
