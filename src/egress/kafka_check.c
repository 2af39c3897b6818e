/* kafka_check.c - can brokers be reached, and would they take our transactions? */
#include "egress/kafka_egress_inside.h"

enum { TURN_MS = 200, FREE_MS = 2000 };

static bool reach(rd_kafka_t *client, const struct kafka_outage *outage, uint64_t until_us,
                  struct sf_status *status)
{
    rd_kafka_resp_err_t error;
    do {
        const struct rd_kafka_metadata *metadata;
        error = rd_kafka_metadata(client, 0, NULL, &metadata, TURN_MS);
        if (!error) {
            rd_kafka_metadata_destroy(metadata);
            return true;
        }
        rd_kafka_poll(client, 0); /* for the reason */
    } while (clock_now_us() < until_us);
    return sf_fail(status, SF_IO, "Kafka at %s cannot be reached: %s", outage->address,
                   kafka_outage_reason(outage, error));
}

/* Only what no waiting mends and what does not depend on the name is a failure: the application's
 * own transactional.id must not be used here, as that would fence it. */
static bool try_transactions(rd_kafka_t *client, const struct kafka_egress_spec *spec,
                             uint64_t until_us, struct sf_status *status)
{
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR__TIMED_OUT;
    while (code == RD_KAFKA_RESP_ERR__TIMED_OUT && clock_now_us() < until_us) {
        rd_kafka_error_t *error = rd_kafka_init_transactions(client, TURN_MS);
        code = error ? rd_kafka_error_code(error) : RD_KAFKA_RESP_ERR_NO_ERROR;
        if (error)
            rd_kafka_error_destroy(error);
    }
    if (code == RD_KAFKA_RESP_ERR_INVALID_TRANSACTION_TIMEOUT)
        return sf_fail(status, SF_INVALID,
                       "a transactionTimeout of %llu ms is more than the brokers at %s allow "
                       "(transaction.max.timeout.ms)",
                       (unsigned long long)spec->transaction_timeout_ms, spec->address);
    if (code == RD_KAFKA_RESP_ERR__TIMED_OUT)
        return sf_fail(status, SF_TIMEOUT, "Kafka at %s did not begin transactions in time",
                       spec->address);
    return true;
}

bool kafka_egress_check(const struct kafka_egress_spec *spec, uint64_t timeout_ms,
                        struct sf_status *status)
{
    uint64_t until_us = clock_now_us() + timeout_ms * 1000;
    char *id = mem_format("%s/%s", spec->id.ns, spec->id.name);
    struct kafka_egress egress = {
        .spec = spec,
        .transactional_id = mem_format("statefun.check.%s.%s", spec->id.ns, spec->id.name),
        .outage = {.component = "egress", .id = id, .address = spec->address},
    };
    rd_kafka_conf_t *conf;
    rd_kafka_t *client = NULL;
    atomic_store(&egress.outage.is_out, true); /* what is wrong is returned, not logged */
    bool good = kafka_producer_conf(&egress, &egress.outage, &conf, status) &&
                kafka_client_new(RD_KAFKA_PRODUCER, conf, &client, status) &&
                reach(client, &egress.outage, until_us, status);
    if (good && spec->delivery == KAFKA_EXACTLY_ONCE)
        good = try_transactions(client, spec, until_us, status);
    kafka_client_free(client, FREE_MS);
    free(egress.transactional_id);
    free(id);
    return good || sf_wrap(status, "egress %s/%s", spec->id.ns, spec->id.name);
}
