/* kafka_transaction.c - a batch and the number of its last epoch, committed together.
 *
 * A commit is answered before its markers are written. A transaction that begins until then is
 * told so (CONCURRENT_TRANSACTIONS) and comes again after 10-20 ms; one that waited a little in the
 * first place is faster. How long markers take depends on the cluster, so the gap follows what is
 * seen: it grows with each transaction whose offset took much longer than usual, which is what
 * coming again looks like from here, and shrinks with the others, so that about one in a hundred
 * stalls. One broker on one machine, 200 epochs a second, p50/p99 in ms: no gap 32/59, 1.5 ms 9/32,
 * 5 ms 11/28, 10 ms 15/33; with function and runtime on the same two cores a longer
 * pause only added to the latency. (Sending the offset first, or retry.backoff.ms of 2 to 4, was no
 * better.) */
#include "egress/kafka_egress_inside.h"

enum { OFFSETS_MS = 1000, ABORT_MS_MAX = 10 * 1000, AGAIN_MS = 5, PATIENCE_US = 10 * 1000 * 1000 };

enum {
    GAP_US_MIN = 1000,
    GAP_US_FIRST = 2000,
    GAP_US_MAX = 4000,
    GAP_MORE = 4,         /* a stall adds a fourth, */
    GAP_LESS = 400,       /* and a hundred without one take it away again */
    STALL_US = 7000,      /* a little less than retry.backoff.ms */
    USUAL_US_MORE = 1000, /* so that one stall says little of what is usual */
};

/* --- pace --- */

uint64_t kafka_transaction_due_us(const struct kafka_egress *egress)
{
    return egress->committed_us + egress->pace.gap_us;
}

/* A transaction's offset took `us`. */
static void keep_pace(struct kafka_pace *pace, uint64_t us)
{
    if (!pace->usual_us)
        *pace = (struct kafka_pace){.gap_us = GAP_US_FIRST, .usual_us = us};
    if (us > pace->usual_us + STALL_US)
        pace->gap_us += pace->gap_us / GAP_MORE;
    else
        pace->gap_us -= pace->gap_us / GAP_LESS;
    pace->gap_us = pace->gap_us < GAP_US_MIN   ? GAP_US_MIN
                   : pace->gap_us > GAP_US_MAX ? GAP_US_MAX
                                               : pace->gap_us;
    uint64_t sample = us < pace->usual_us + USUAL_US_MORE ? us : pace->usual_us + USUAL_US_MORE;
    pace->usual_us = (pace->usual_us * 7 + sample) / 8 + 1;
}

/* --- errors --- */

/* What an error of the transactional calls asks for. */
enum verdict { VERDICT_CALL_AGAIN, VERDICT_ABORT, VERDICT_NEW_CLIENT, VERDICT_END };

/* Takes the error. */
static enum verdict judge(struct kafka_egress *egress, rd_kafka_error_t *error)
{
    rd_kafka_resp_err_t code = rd_kafka_error_code(error);
    enum verdict verdict = VERDICT_NEW_CLIENT;
    if (rd_kafka_error_is_fatal(error))
        verdict = kafka_producer_is_fenced(egress, code, rd_kafka_error_string(error))
                      ? VERDICT_END
                      : VERDICT_NEW_CLIENT;
    else if (rd_kafka_error_txn_requires_abort(error))
        verdict = VERDICT_ABORT;
    else if (rd_kafka_error_is_retriable(error))
        verdict = VERDICT_CALL_AGAIN;
    /* What a record is to blame for comes with its own report; that the transaction is in no state
     * for this call follows from what came before. */
    if (verdict != VERDICT_CALL_AGAIN && code != RD_KAFKA_RESP_ERR__INCONSISTENT &&
        !(verdict == VERDICT_ABORT && code == RD_KAFKA_RESP_ERR__STATE) &&
        !kafka_error_is_of_record(code)) {
        egress->attempt.failed = true;
        egress->attempt.error = code;
    }
    rd_kafka_error_destroy(error);
    return verdict;
}

static enum kafka_outcome outcome_of(enum verdict verdict)
{
    return verdict == VERDICT_END ? OUTCOME_ENDED : OUTCOME_LOST_CLIENT;
}

/* The fatal error that made librdkafka refuse a record. */
static enum kafka_outcome lost_or_fenced(struct kafka_egress *egress)
{
    char reason[200] = "";
    rd_kafka_resp_err_t error = rd_kafka_fatal_error(egress->client, reason, sizeof reason);
    egress->attempt.failed = true;
    egress->attempt.error = error;
    return kafka_producer_is_fenced(egress, error, reason) ? OUTCOME_ENDED : OUTCOME_LOST_CLIENT;
}

/* --- the transaction --- */

/* Until it is certain, or the client is given up: a new one fences what is left of it. */
static enum kafka_outcome abort_it(struct kafka_egress *egress, enum kafka_outcome otherwise)
{
    uint64_t until_us = clock_now_us() + ABORT_MS_MAX * 1000ull;
    for (;;) {
        rd_kafka_error_t *error = rd_kafka_abort_transaction(egress->client, KAFKA_TURN_MS);
        kafka_producer_serve(egress, 0);
        if (!error) {
            egress->transaction_us = 0;
            egress->committed_us = clock_now_us();
            return otherwise;
        }
        enum verdict verdict = judge(egress, error);
        if (verdict == VERDICT_END || verdict == VERDICT_NEW_CLIENT)
            return outcome_of(verdict);
        if (clock_now_us() >= until_us)
            return OUTCOME_LOST_CLIENT;
        if (kafka_egress_must_end(egress))
            return OUTCOME_ENDED;
        kafka_egress_pause(egress, AGAIN_MS);
    }
}

static const char *first_topic(const struct kafka_attempt *attempt)
{
    for (size_t i = 0; i < attempt->batch->count; i++)
        if (attempt->items[i].fate != FATE_DEAD)
            return attempt->items[i].topic->name;
    return NULL;
}

static enum kafka_outcome send_offset(struct kafka_egress *egress)
{
    struct kafka_attempt *attempt = &egress->attempt;
    const char *topic = first_topic(attempt);
    enum kafka_outcome outcome = OUTCOME_ENDED;
    if (!topic)
        return OUTCOME_AGAIN; /* its last records have just died */
    if (!kafka_delivered_settle(egress))
        return OUTCOME_ENDED;
    egress->pending_topic = mem_string(topic);
    rd_kafka_topic_partition_list_t *offsets = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(offsets, topic, 0)->offset = (int64_t)attempt->batch->epoch;
    uint64_t began_us = clock_now_us();
    while (!kafka_egress_must_end(egress)) {
        rd_kafka_error_t *error = rd_kafka_send_offsets_to_transaction(
            egress->client, offsets, egress->group_metadata, OFFSETS_MS);
        kafka_producer_serve(egress, 0);
        if (!error) {
            keep_pace(&egress->pace, clock_now_us() - began_us);
            outcome = OUTCOME_DELIVERED;
            break;
        }
        enum verdict verdict = judge(egress, error);
        if (verdict == VERDICT_CALL_AGAIN) {
            kafka_egress_pause(egress, AGAIN_MS); /* without a connection it returns at once */
            continue;
        }
        outcome = verdict == VERDICT_ABORT ? OUTCOME_AGAIN : outcome_of(verdict);
        break;
    }
    rd_kafka_topic_partition_list_destroy(offsets);
    return outcome;
}

/* Called again until the answer is definite: the library goes on with it in between. Long after
 * brokers must have given the transaction up, a new client finds out what became of it. */
static enum kafka_outcome commit(struct kafka_egress *egress)
{
    uint64_t until_us = clock_now_us() + egress->spec->transaction_timeout_ms * 1000 + PATIENCE_US;
    while (!kafka_egress_must_end(egress)) {
        rd_kafka_error_t *error = rd_kafka_commit_transaction(egress->client, KAFKA_TURN_MS);
        kafka_producer_serve(egress, 0);
        if (!error) {
            egress->transaction_us = 0;
            egress->committed_us = clock_now_us();
            return OUTCOME_DELIVERED;
        }
        enum verdict verdict = judge(egress, error);
        if (verdict == VERDICT_CALL_AGAIN && clock_now_us() < until_us) {
            kafka_egress_pause(egress, AGAIN_MS);
            continue;
        }
        egress->commit_unclear = true; /* it may have reached the coordinator nevertheless */
        return verdict == VERDICT_ABORT ? OUTCOME_AGAIN : outcome_of(verdict);
    }
    return OUTCOME_ENDED;
}

static enum kafka_outcome begin(struct kafka_egress *egress)
{
    egress->transaction_us = clock_now_us();
    rd_kafka_error_t *error = rd_kafka_begin_transaction(egress->client);
    if (!error)
        return OUTCOME_DELIVERED;
    /* None is open, so nobody can have given it up. */
    return outcome_of(judge(egress, error));
}

/* The library has no question for it. But it refuses to begin a transaction while one is open,
 * without asking anybody, and with what spoilt that one if something did. */
bool kafka_transaction_is_spoilt(struct kafka_egress *egress)
{
    if (!egress->transaction_us)
        return false;
    rd_kafka_error_t *error = rd_kafka_begin_transaction(egress->client);
    bool spoilt = rd_kafka_error_txn_requires_abort(error);
    rd_kafka_error_destroy(error);
    return spoilt;
}

enum kafka_outcome kafka_transaction_try(struct kafka_egress *egress)
{
    enum kafka_outcome outcome = begin(egress);
    if (outcome != OUTCOME_DELIVERED)
        return outcome;
    outcome = kafka_batch_send(egress, 0);
    if (outcome == OUTCOME_LOST_CLIENT)
        return lost_or_fenced(egress);
    if (outcome == OUTCOME_DELIVERED && !egress->attempt.faulted)
        outcome = send_offset(egress);
    else if (outcome == OUTCOME_DELIVERED)
        outcome = OUTCOME_AGAIN;
    if (outcome == OUTCOME_DELIVERED)
        outcome = commit(egress);
    if (outcome == OUTCOME_AGAIN || outcome == OUTCOME_ENDED)
        outcome = abort_it(egress, outcome);
    return outcome;
}
