#include "load.h"

#include "base/mem.h"

#define KIND  "kind: io.statefun.kafka.v1/egress\nspec:\n"
#define PLAIN KIND "  id: a/out\n  address: k:9092\n"

static void semantics_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *yaml;
        enum kafka_delivery delivery;
        uint64_t timeout_ms;
    } cases[] = {
        {PLAIN, KAFKA_AT_LEAST_ONCE, 0},
        {PLAIN "  deliverySemantic: {type: at-least-once}\n", KAFKA_AT_LEAST_ONCE, 0},
        {PLAIN "  deliverySemantic: {type: none}\n", KAFKA_NONE, 0},
        {PLAIN "  deliverySemantic: {type: exactly-once, transactionTimeout: 10min}\n",
         KAFKA_EXACTLY_ONCE, 600000},
        {PLAIN "  deliverySemantic: {type: exactly-once, transactionTimeout: 90000}\n",
         KAFKA_EXACTLY_ONCE, 90000},
        {PLAIN "  deliverySemantic: {type: exactly-once, transactionTimeoutMillis: 900000}\n",
         KAFKA_EXACTLY_ONCE, 900000},
        {PLAIN "  deliverySemantic: {type: exactly-once, transactionTimeoutMillis: 5000, "
               "transactionTimeout: 9s}\n",
         KAFKA_EXACTLY_ONCE, 5000},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *yaml = mem_format("%s%s", cases[i].yaml, SOME_ENDPOINT SOME_INGRESS);
        struct application *application = load_good(yaml);
        assert_int_equal(application->kafka_egress_count, 1);
        const struct kafka_egress_spec *egress = &application->kafka_egresses[0];
        assert_string_equal(egress->id.ns, "a");
        assert_string_equal(egress->id.name, "out");
        assert_string_equal(egress->address, "k:9092");
        assert_int_equal(egress->place.line, 3);
        assert_int_equal(egress->delivery, cases[i].delivery);
        assert_int_equal(egress->transaction_timeout_ms, cases[i].timeout_ms);
        application_free(application);
        free(yaml);
    }
}

static void one_egress_may_get_dead_letters(void **state)
{
    (void)state;
    struct application *application =
        load_good(PLAIN "  deadLetters: {topic: letters}\n" SOME_ENDPOINT SOME_INGRESS);
    assert_string_equal(application->kafka_egresses[0].dead_letters.to, "letters");
    assert_false(application->kafka_egresses[0].dead_letters.drops);
    assert_int_equal(application->kafka_egresses[0].dead_letters.format, LETTERS_JSON);
    application_free(application);
    application = load_good(
        PLAIN "  deadLetters: {topic: letters, format: Raw}\n" SOME_ENDPOINT SOME_INGRESS);
    assert_int_equal(application->kafka_egresses[0].dead_letters.format, LETTERS_RAW);
    application_free(application);
    application = load_good(PLAIN "  deadLetters: {topic: letters, keep: false}\n"
                                  "---\n" KIND
                                  "  id: a/other\n  address: k:9092\n" SOME_ENDPOINT SOME_INGRESS);
    assert_true(application->kafka_egresses[0].dead_letters.drops);
    assert_null(application->kafka_egresses[1].dead_letters.to);
    application_free(application);

    static const struct load_case cases[] = {
        {PLAIN "  deadLetters: letters\n",
         {"5:16: error: 'deadLetters': expected an object with topic, and perhaps keep and "
          "format"}},
        {PLAIN "  deadLetters: {topic: x, format: avro}\n",
         {"5:35: error: 'format': expected json or raw, found text"}},
        {PLAIN "  deadLetters: {topic: x, format: [raw]}\n",
         {"5:35: error: 'format': expected json or raw, found a list"}},
        {PLAIN "  deadLetters: {keep: true}\n", {"5:16: error: missing key 'topic'"}},
        {PLAIN "  deadLetters: {topic: a b, keep: maybe}\n",
         {"5:24: error: 'topic'", "5:35: error: 'keep': expected true or false, found text"}},
        {PLAIN "  deadLetters: {topic: x}\n---\n" KIND
               "  id: a/other\n  address: k:9092\n  deadLetters: {topic: y}\n",
         {"11:16: error: dead letters go to one egress: expected 'deadLetters' once, found them at "
          "m.yaml:5 too"}},
    };
    CHECK_CASES(cases, SOME_ENDPOINT SOME_INGRESS, NULL);
}

static void faults_of_an_egress(void **state)
{
    (void)state;
    static const struct load_case cases[] = {
        {KIND "  {}\n",
         {"3:3: error: missing key 'id' in io.statefun.kafka.v1/egress",
          "3:3: error: missing key 'address'|'bootstrap.servers' in 'properties' does not do"}},
        {KIND "  id: a/out\n  properties:\n    - bootstrap.servers: k:1\n",
         {"3:3: error: missing key 'address'",
          "5:7: warning: 'bootstrap.servers' has no effect: 'address' always overwrites it"}},
        {KIND "  id: a/out\n  address: k:9092,\n",
         {"4:12: error: 'address': expected brokers as host:port"}},
        {PLAIN "  topics: []\n", {"5:3: warning: unknown key 'topics'"}},
        {PLAIN "  deliverySemantic: exactly-once\n",
         {"5:21: error: 'deliverySemantic': expected an object with a 'type'"}},
        {PLAIN "  deliverySemantic: {type: exactly_once}\n",
         {"5:28: error: deliverySemantic: Invalid delivery semantic type|at-least-once, "
          "exactly-once, none|did you mean 'exactly-once'?"}},
        {PLAIN "  deliverySemantic: {type: exactly-once}\n",
         {"5:21: error: missing key 'transactionTimeout' in deliverySemantic of type "
          "exactly-once"}},
        {PLAIN "  deliverySemantic: {type: exactly-once, transactionTimeoutMillis: 15min}\n",
         {"5:68: error: 'transactionTimeoutMillis': expected a number of milliseconds from 1000 to "
          "2147483647 (or a duration as 'transactionTimeout'), found text '15min'"}},
        {PLAIN "  deliverySemantic: {type: exactly-once, transactionTimeout: 999}\n",
         {"5:62: error: 'transactionTimeout': expected a duration from 1000 ms to"}},
        {PLAIN "  deliverySemantic: {type: exactly-once, transactionTimeout: 9s, "
               "transactionTimeoutMillis: 5000}\n",
         {"5:42: warning: 'transactionTimeout' has no effect: 'transactionTimeoutMillis' beside it "
          "wins"}},
        {PLAIN "  deliverySemantic: {type: none, transactionTimeout: 9s}\n",
         {"5:34: warning: unknown key 'transactionTimeout' in deliverySemantic of type none"}},
    };
    CHECK_CASES(cases, SOME_ENDPOINT SOME_INGRESS, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(semantics_are_read),
        cmocka_unit_test(one_egress_may_get_dead_letters),
        cmocka_unit_test(faults_of_an_egress),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
