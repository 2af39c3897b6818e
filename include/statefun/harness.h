/* harness.h - C functions in a test: one alone (trial), a whole application without a server
 * (harness), and the same test again and again under a simulator that crashes and reorders.
 *
 *     static bool greets_twice(struct sf_harness *harness, void *user, struct sf_status *status)
 *     {
 *         struct sf_address ann = sf_address("example/greeter", "Ann");
 *         return sf_harness_add(harness, configure, status) &&
 *                sf_harness_send(harness, ann, sf_string(""), status) &&
 *                sf_harness_send(harness, ann, sf_string(""), status) &&
 *                sf_harness_run(harness, status) &&
 *                sf_harness_expect_count(harness, "example/greets", 2, status) &&
 *                sf_expect_kafka(sf_harness_egress(harness, "example/greets", 1), "greetings",
 *                                "Ann", "Hello Ann, 2 times", status);
 *     }
 *
 *     int main(void)
 *     {
 *         struct sf_status status;
 *         if (!sf_simulate(NULL, greets_twice, NULL, &status)) {
 *             fprintf(stderr, "%s\n", status.message);
 *             return 1;
 *         }
 *         return 0;
 *     }
 *
 * Link libstatefun-harness (pkg-config statefun-harness); it contains the SDK.
 *
 * Under all of it stands the runtime's own engine, with a store in memory: what counts once there
 * counts once here. It belongs to no test framework: calls return false and say why.
 *
 * Threads. A harness and a trial belong to the thread that uses them, and functions are called on
 * it; only sf_async_complete and sf_async_fail may come from others. Nothing is shared between two.
 *
 * Memory. What is asked for belongs to the harness (or trial). Outputs and letters stay until they
 * are cleared; contexts of sf_harness_look until the harness runs again. Texts and values that are
 * handed over are copied; functions, routers and what they refer to are not. */
#ifndef STATEFUN_HARNESS_H
#define STATEFUN_HARNESS_H

#include "statefun/statefun.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* --- what came out: messages and egress records --- */

struct sf_output {
    struct sf_address target;   /* of a message; its type is NULL in an egress record */
    const char *egress;         /* of an egress record: "namespace/name" */
    struct sf_address sender;   /* of an egress record: the function's address */
    const char *type;           /* the type name of the value */
    struct sf_bytes value;      /* encoded */
    int64_t due_ms;             /* of a delayed message: when it is delivered; else 0 */
    const char *token;          /* of a delayed message: NULL if it has none */
    struct sf_context *context; /* for sf_decode */
};

/* The value as it came. (NULL here and below, as from an index too high, is an output that never
 * equals anything.) */
struct sf_value sf_output_value(const struct sf_output *output);

/* Decodes the value; false if it is of another type. What it points to lives as long as the output.
 */
bool sf_output_read(const struct sf_output *output, const struct sf_type *type, void *ret_value);

/* Is it this value, of the same type and with the same bytes? */
bool sf_output_is(const struct sf_output *output, struct sf_value expected);

/* What stands in an egress record for Kafka; false if it is no such record. */
struct sf_kafka_output {
    const char *topic;
    struct sf_bytes key; /* size 0: none */
    struct sf_bytes value;
    const struct sf_kafka_header *headers;
    size_t header_count;
};
bool sf_output_kafka(const struct sf_output *output, struct sf_kafka_output *ret_record);

struct sf_kinesis_output {
    const char *stream;
    const char *partition_key;
    const char *explicit_hash_key; /* NULL: none */
    struct sf_bytes value;
};
bool sf_output_kinesis(const struct sf_output *output, struct sf_kinesis_output *ret_record);

/* For people: where it goes, its type, and its value, as text where it is some. Lives as long as
 * the output. */
const char *sf_output_text(const struct sf_output *output);

/* Each says in `status` what was expected and what was found instead. */
SF_CHECK bool sf_expect_message(const struct sf_output *output, struct sf_address target,
                                struct sf_value value, struct sf_status *status);
SF_CHECK bool sf_expect_egress(const struct sf_output *output, const char *egress,
                               struct sf_value value, struct sf_status *status);

/* A Kafka record with text; `key` NULL: without one. */
SF_CHECK bool sf_expect_kafka(const struct sf_output *output, const char *topic, const char *key,
                              const char *value, struct sf_status *status);

/* --- a trial: one function at one address, without messages going anywhere --- */

struct sf_trial;

/* `function` must outlive it. `type` is the address's, which matters if the function serves
 * several: NULL means the function's own. */
SF_CHECK bool sf_trial_new(const struct sf_function *function, const char *type, const char *id,
                           struct sf_trial **ret_trial, struct sf_status *status);

/* The same for the function that a module binds for `type` ("namespace/name"), by the configure
 * function that it has for the runtime: for one whose struct is not at hand. `config` is what
 * sf_config gives it, "KEY=VALUE", ended by NULL; may be NULL. What else the module binds is not
 * called. SF_NOT_FOUND if it binds no such function. */
SF_CHECK bool sf_trial_of(sf_configure configure, const char *const *config, const char *type,
                          const char *id, struct sf_trial **ret_trial, struct sf_status *status);

void sf_trial_free(struct sf_trial *trial); /* NULL is fine */

/* Calls the function with a message (from `caller`, if it is not NULL). False, with the function's
 * reason, if it fails: then nothing of it counts. What it does is added to the trial's outputs, and
 * stays in its states, for the next call. As in production, the call is repeated from its beginning
 * while it touches states that were not declared. */
SF_CHECK bool sf_trial_call(struct sf_trial *trial, struct sf_value value,
                            struct sf_status *status);
SF_CHECK bool sf_trial_call_from(struct sf_trial *trial, const struct sf_address *caller,
                                 struct sf_value value, struct sf_status *status);

/* Sets the clock, which begins at 2020-01-01 and stands, without anything being delivered. */
void sf_trial_set_time(struct sf_trial *trial, int64_t now_ms);

/* Moves the clock. Delayed messages that become due, in their order, are called when they are for
 * the function's own address, and become sent messages otherwise. False if such a call fails. */
SF_CHECK bool sf_trial_advance(struct sf_trial *trial, int64_t ms, struct sf_status *status);

/* Waits for the asynchronous operations under way, up to `ms_max` of real time for each, and calls
 * the function with the results, in the order of ending. */
SF_CHECK bool sf_trial_finish(struct sf_trial *trial, uint64_t ms_max, struct sf_status *status);

/* What was sent since the beginning, or since the outputs were cleared, oldest first; NULL beyond
 * the end. A delayed message that was cancelled is gone, one that became due is sent. */
size_t sf_trial_sent_count(const struct sf_trial *trial);
const struct sf_output *sf_trial_sent(const struct sf_trial *trial, size_t index);
size_t sf_trial_delayed_count(const struct sf_trial *trial);
const struct sf_output *sf_trial_delayed(const struct sf_trial *trial, size_t index);
size_t sf_trial_egress_count(const struct sf_trial *trial);
const struct sf_output *sf_trial_egress(const struct sf_trial *trial, size_t index);

/* Of the messages sent to this address, the one with this index. */
const struct sf_output *sf_trial_sent_to(const struct sf_trial *trial, struct sf_address target,
                                         size_t index);

/* The delayed message with this token; NULL if there is none. */
const struct sf_output *sf_trial_token(const struct sf_trial *trial, const char *token);

/* Forgets what was sent and the egress records; states and delayed messages stay. */
void sf_trial_clear(struct sf_trial *trial);

/* How far a counter of sf_count has come. */
int64_t sf_trial_counter(const struct sf_trial *trial, const char *counter);

/* A context to look at states with (sf_get, sf_table_get, sf_buffer_next, ...), or to put some
 * there before the first call (sf_set, ...): lives until the next call of the function. */
struct sf_context *sf_trial_states(struct sf_trial *trial);

/* Why the last use of such a context failed; NULL: it did not. */
const char *sf_look_failure(struct sf_context *context);

/* --- a harness: an application --- */

struct sf_harness;

struct sf_harness_options {
    int64_t start_ms; /* the clock's beginning; 0: 2020-01-01. It moves by sf_harness_advance */
    const char *const *config; /* for sf_config: "KEY=VALUE", ended by NULL; may be NULL */
    unsigned workers;          /* up to 4; 0: one, or as chance has it */
    uint64_t seed;             /* 0: everything happens in order. Else as in sf_simulate */
    uint64_t async_ms_max;     /* of real time, for operations; 0: 10 s */
    bool prints_log;           /* what functions log goes to standard error */
};

/* NULL options: all zeros. */
SF_CHECK bool sf_harness_new(const struct sf_harness_options *options,
                             struct sf_harness **ret_harness, struct sf_status *status);
void sf_harness_free(struct sf_harness *harness); /* NULL is fine */

/* Adds what a module binds: the same configure function as for an embedded or a remote one. Several
 * modules make one application. After the first run nothing can be added (SF_CONFLICT). */
SF_CHECK bool sf_harness_add(struct sf_harness *harness, sf_configure configure,
                             struct sf_status *status);

/* Adds functions of whatever language behind a URL, "http://host:port/path" or
 * "http+unix:///path/of.socket/path/of/url": `types` is "namespace/name" or "namespace/prefix*".
 * They are called one after the other, and waited for. No TLS. If nobody is there, the run fails
 * (SF_IO, SF_TIMEOUT), and the message stays. */
SF_CHECK bool sf_harness_add_remote(struct sf_harness *harness, const char *types, const char *url,
                                    struct sf_status *status);

/* --- input: taken in by the next run --- */

/* A message as from an ingress. */
SF_CHECK bool sf_harness_send(struct sf_harness *harness, struct sf_address target,
                              struct sf_value value, struct sf_status *status);

/* Records of an ingress ("namespace/name"), for the routers bound to it. SF_NOT_FOUND if there are
 * none. Records with the same key keep their order. */
SF_CHECK bool sf_harness_record(struct sf_harness *harness, const char *ingress,
                                const struct sf_record *record, struct sf_status *status);
SF_CHECK bool sf_harness_records(struct sf_harness *harness, const char *ingress,
                                 const struct sf_record *records, size_t count,
                                 struct sf_status *status);

/* A record for each line of a file, without its line end. */
SF_CHECK bool sf_harness_file(struct sf_harness *harness, const char *ingress, const char *path,
                              struct sf_status *status);

/* Records that `supply` fills in, until it returns false, at most `count_max`. What a record points
 * to must live until the next call. Called now. */
SF_CHECK bool sf_harness_supply(struct sf_harness *harness, const char *ingress,
                                bool (*supply)(void *user, struct sf_record *ret_record),
                                void *user, size_t count_max, struct sf_status *status);

/* Reads what an ingress in C that a module binds has (module.h): its `run` is called for each of
 * its partitions, from the position behind what was read before, and is told to stop when it first
 * pauses. */
SF_CHECK bool sf_harness_pull(struct sf_harness *harness, const char *ingress,
                              struct sf_status *status);

/* --- running --- */

/* Runs until nothing more can happen without time passing, asynchronous operations included: it
 * waits for them, and fails with SF_TIMEOUT if one takes too long.
 *
 * A message (or record) on which a function (or router) fails is set aside as a dead letter, and
 * the run goes on; in the end it fails (SF_FAILED) with the function's reason, unless
 * sf_harness_expect_failure said so before. What is sent to a function that nobody binds counts as
 * failing, too. */
SF_CHECK bool sf_harness_run(struct sf_harness *harness, struct sf_status *status);

/* The same without waiting for asynchronous operations. Where very many are under way, input that
 * there is no room for meanwhile stays for the next run. */
SF_CHECK bool sf_harness_run_now(struct sf_harness *harness, struct sf_status *status);

/* Moves the clock by `ms`, stopping wherever a delayed message is due; runs (as sf_harness_run_now)
 * before, there, and after. */
SF_CHECK bool sf_harness_advance(struct sf_harness *harness, int64_t ms, struct sf_status *status);

int64_t sf_harness_now_ms(const struct sf_harness *harness);

/* One more message than before is expected to fail until the end of the next run or advance, with
 * this in its reason. That call fails if it does not. */
void sf_harness_expect_failure(struct sf_harness *harness, const char *part_of_reason);

/* Crashes and recovers, now: from exactly what was committed, which is all that previous runs have
 * done. Asynchronous operations under way are unknown to the functions from then on. */
SF_CHECK bool sf_harness_restart(struct sf_harness *harness, struct sf_status *status);

/* --- output --- */

/* Records for an egress, in order. Any egress exists; `deliver` of one that a module binds is not
 * called. */
size_t sf_harness_egress_count(const struct sf_harness *harness, const char *egress);
const struct sf_output *sf_harness_egress(const struct sf_harness *harness, const char *egress,
                                          size_t index);
SF_CHECK bool sf_harness_expect_count(const struct sf_harness *harness, const char *egress,
                                      size_t count, struct sf_status *status);
void sf_harness_clear(struct sf_harness *harness); /* forgets the records of all */

/* Each record is also given to `consume`, at the moment when it is committed. Egress NULL: all. One
 * callback for an egress. */
SF_CHECK bool sf_harness_on_egress(struct sf_harness *harness, const char *egress,
                                   void (*consume)(void *user, const struct sf_output *output),
                                   void *user, struct sf_status *status);

/* For that: prints to the FILE that `file` is (NULL: standard output). */
void sf_print_output(void *file, const struct sf_output *output);

/* --- what it looks like inside --- */

/* A context to look at the states of an address with: sf_get, sf_table_get, sf_buffer_next, ...
 * What would change something fails. Shows what the last run left. Never NULL; sf_look_failure says
 * what went wrong. Lives until the harness runs again. */
struct sf_context *sf_harness_look(struct sf_harness *harness, struct sf_address address);

/* Messages that wait (behind an operation of sf_harness_run_now, say), and delayed ones. */
size_t sf_harness_waiting_count(const struct sf_harness *harness);
size_t sf_harness_delayed_count(const struct sf_harness *harness);

/* What was set aside. */
struct sf_letter {
    const char *kind; /* "failed", "unserved", "invalid-record" */
    const char *cause;
    const char *target;  /* "namespace/name/id"; "" if it has none */
    const char *ingress; /* of a record; else "" */
};
size_t sf_harness_letter_count(const struct sf_harness *harness);
const struct sf_letter *sf_harness_letter(const struct sf_harness *harness, size_t index);

/* How far a counter has come: of a function type (sf_count), of an ingress (sf_count_route). */
int64_t sf_harness_counter(const struct sf_harness *harness, const char *type, const char *counter);
int64_t sf_harness_route_counter(const struct sf_harness *harness, const char *ingress,
                                 const char *counter);

/* --- the simulator --- */

struct sf_simulation {
    uint64_t seeds;                    /* how many; 0: 100 */
    uint64_t first_seed;               /* 0: 1 */
    struct sf_harness_options options; /* its seed is not looked at */
    bool is_verbose;                   /* says to standard error what it does */
};

/* Runs `test` with harness after harness: first with everything in order, then once for each seed.
 * `test` adds modules, gives input, runs, and returns whether all is as expected (false with a
 * status). In each run with a seed chance decides: how many workers there are; which of all
 * addresses with messages is called next, with how many of them at once; when records of different
 * keys are read; when epochs are committed. Calls are repeated, as if their replies had been lost.
 * And between any two steps the process may crash, and recovers from exactly what was committed,
 * and reads its input again from there.
 *
 * So a function is called more often than messages are sent, and what it does apart from its
 * context (a static variable, a file, a thread) is done more often, too: this is so in production,
 * and here is where it shows. What must not depend on chance, and what `test` should look at, is:
 * states; what is in an egress, with its order only where it is one address that sends; sums over
 * addresses. Messages from one address to another keep their order, from different ones they do
 * not.
 *
 * The first seed that fails ends it: the status names it. The environment variable SF_SEED=n runs
 * that one alone, and again in the same way (as long as functions have no threads), 0 the one in
 * order; SF_SEEDS=n says how many seeds there are. What chance may do is the same for each seed for
 * ever only within one version.
 *
 * options NULL: all zeros. */
SF_CHECK bool sf_simulate(const struct sf_simulation *options,
                          bool (*test)(struct sf_harness *harness, void *user,
                                       struct sf_status *status),
                          void *user, struct sf_status *status);

/* Is chance at work? For tests that want to say more when it is not. */
bool sf_harness_is_simulated(const struct sf_harness *harness);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
