/* Every property and every accepted spelling of upstream's reference, as a line of a table: each
 * must load with nothing to say about it. What the values become is tested kind by kind. */
#include "load.h"

#include "base/mem.h"

/* The rest of a module around `text`, a component or part of one. */
struct spellings {
    const char *before, *after;
    const char *const *texts; /* ends with NULL */
};

#define TEXTS(...) ((const char *const[]){__VA_ARGS__, NULL})

#define REST SOME_ENDPOINT SOME_INGRESS

#define V2                                                                                         \
    "kind: io.statefun.endpoints.v2/http\n"                                                        \
    "spec:\n  functions: n/f\n  urlPathTemplate: http://h\n  "
#define V1                                                                                         \
    "kind: io.statefun.endpoints.v1/http\n"                                                        \
    "spec:\n  functions: n/f\n  urlPathTemplate: http://h\n  "
#define INGRESS                                                                                    \
    "kind: io.statefun.kafka.v1/ingress\nspec:\n"                                                  \
    "  id: a/in\n  address: k:9092\n  consumerGroupId: g\n"                                        \
    "  topics: [{topic: t, valueType: a/t, targets: [n/f]}]\n  "
#define EGRESS "kind: io.statefun.kafka.v1/egress\nspec:\n  id: a/out\n  address: k:9092\n  "

static void assert_all_load(const struct spellings *all, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (const char *const *text = all[i].texts; *text; text++) {
            char *yaml = mem_format("%s%s%s", all[i].before, *text, all[i].after);
            const struct load_case good = {yaml, {NULL}};
            check_case(&good, "", NULL);
            free(yaml);
        }
    }
}

#define ASSERT_ALL_LOAD(all) assert_all_load(all, sizeof(all) / sizeof *(all))

/* module-yaml.md 2 */
static void documents_and_kinds(void **state)
{
    (void)state;
    const struct spellings all[] = {
        {"", REST,
         TEXTS("", "---\n", "---\n---\n", "# only a comment\n---\n", "null\n---\n", "~\n---\n")},
        {"kind: ", "\nspec: {port: 1, topics: []}\n" REST,
         TEXTS("io.statefun.playground.v1/egress", "'io.statefun.playground.v1/egress'",
               "\"io.statefun.playground.v1/egress\"", "io.statefun.playground.v1/egress/")},
        {"kind: ", "\nspec: {functions: a/b, urlPathTemplate: 'http://h'}\n" REST,
         TEXTS("io.statefun.endpoints.v1/http", "io.statefun.endpoints.v2/http")},
        {"version: '3.0'\n", REST,
         TEXTS("kind: io.statefun.kafka.v1/egress\nspec: {id: a/b, address: 'h:1'}\n")},
    };
    ASSERT_ALL_LOAD(all);
}

/* module-yaml.md 3 */
static void values(void **state)
{
    (void)state;
    const struct spellings all[] = {
        {"kind: io.statefun.kafka.v1/egress\nspec: {address: 'h:1', id: ", "}\n" REST,
         TEXTS("ns/name", "'ns/name'", "ns/name/", "ns/name//", "/name", "a.b-c/d_e")},
        {V2 "transport: {call: ", "}\n" SOME_INGRESS,
         TEXTS("1d", "1 day", "2days", "1h", "1hour", "2 hours", "3min", "3m", "1minute",
               "3   minutes", "7s", "7sec", "7secs", "1second", "7 seconds", "9ms", "9milli",
               "9millis", "1millisecond", "9milliseconds", "9", "'9'", "9000\u00b5s", "9000micro",
               "9000micros", "1000microsecond", "9000microseconds", "9000000ns", "9000000nano",
               "9000000nanos", "1000000nanosecond", "9000000nanoseconds", "5 S", "5MIN", "5 Ms",
               "' 5 s '")},
        {INGRESS "properties:\n", REST,
         TEXTS("  - client.id: me\n", "  - client.id: 7\n", "  - client.id: 'a b'\n",
               "  - fetch.min.bytes: 1\n  - fetch.max.wait.ms: '2'\n",
               "  - check.crcs: true\n  - {client.rack: x}\n", "    []\n")},
    };
    ASSERT_ALL_LOAD(all);
}

/* module-yaml.md 4; transports: protocol.md 13 */
static void endpoints(void **state)
{
    (void)state;
    const struct spellings all[] = {
        {"kind: io.statefun.endpoints.v2/http\nspec: {urlPathTemplate: 'http://h', functions: ",
         "}\n" SOME_INGRESS, TEXTS("n/f", "n/*", "'n/*'", "a.b.c/*", "/f")},
        {"kind: io.statefun.endpoints.v2/http\nspec: {functions: n/*, urlPathTemplate: '",
         "'}\n" SOME_INGRESS,
         TEXTS("http://h", "http://h:8000/", "http://h/{function.name}",
               "http://h/a/{function.name}/b", "http+unix:///run/f.sock/statefun",
               "https+unix:///run/f.sock/statefun")},
        {V2, "\n" SOME_INGRESS,
         TEXTS("maxNumBatchRequests: 1", "maxNumBatchRequests: '500'", "maxNumBatchRequests: 0",
               "maxNumBatchRequests: -1", "transport: {}",
               "transport: {type: io.statefun.transports.v1/async}",
               "transport: {type: io.statefun.transports.v1/okhttp}",
               "transport: {type: io.statefun.transports.v1/okhttp, timeouts: {call: 2min, "
               "connect: 5s, read: 1min, write: 10s}}",
               "transport: {type: io.statefun.transports.v1/async, call: 90s, connect: 5s, "
               "pool_size: 256, pool_ttl: 1min, payload_max_bytes: 1048576}",
               "transport: {timeouts: {call: 1min, connect: 5s, read: 1s, write: 1s}}",
               "transport: {pool_size: '256', pool_ttl: 0, payload_max_bytes: '1'}")},
        {V1, "\n" SOME_INGRESS,
         TEXTS("maxNumBatchRequests: 50", "timeouts: {}",
               "timeouts: {call: 2min, connect: 1s, read: 1min, write: 1s}",
               "timeouts: {read: 30s}")},
    };
    ASSERT_ALL_LOAD(all);
}

/* module-yaml.md 5 */
static void kafka_ingress(void **state)
{
    (void)state;
    const struct spellings all[] = {
        {"kind: io.statefun.kafka.v1/ingress\nspec:\n  id: a/in\n"
         "  topics: [{topic: t, valueType: a/t, targets: [n/f]}]\n",
         REST,
         TEXTS("  address: k:9092\n  consumerGroupId: g\n",
               "  address: 'a:1,b:2'\n  consumerGroupId: 7\n",
               "  properties:\n    - bootstrap.servers: k:9092\n    - group.id: g\n")},
        {"kind: io.statefun.kafka.v1/ingress\nspec:\n  id: a/in\n  address: k:9092\n"
         "  consumerGroupId: g\n  topics:\n",
         REST,
         TEXTS("  - {topic: t, valueType: a/t, targets: [n/f]}\n",
               "  - {topic: t, valueType: anything at all, targets: [n/f, n/g]}\n",
               "  - {topic: t, valueType: type.googleapis.com/a.B, targets: []}\n",
               "  - {topic: 7, valueType: 7, targets: [n/f]}\n",
               "  - {topic: t, valueType: v, targets: [n/f]}\n"
               "  - {topic: u, valueType: w, targets: [n/g]}\n")},
        {INGRESS "autoOffsetResetPosition: ", "\n" REST,
         TEXTS("earliest", "latest", "EARLIEST", "Latest", "'latest'")},
        /* of the community fork: extensions.md */
        {INGRESS "forwardHeaders: ", "\n" REST, TEXTS("true", "false", "'true'", "'false'")},
        {INGRESS "startupPosition: ", "\n" REST,
         TEXTS("{type: group-offsets}", "{type: earliest}", "{type: latest}",
               "{type: specific-offsets, offsets: [{t/0: 1}]}",
               "{type: specific-offsets, offsets: [t/0: 1, t/1: '2', t/2: -1]}",
               "{type: date, date: 2020-02-01 04:15:00.000 +0000}",
               "{type: date, date: '2020-02-01 04:15:00.000 -0130'}")},
    };
    ASSERT_ALL_LOAD(all);
}

/* module-yaml.md 6 */
static void kafka_egress(void **state)
{
    (void)state;
    const struct spellings all[] = {
        {EGRESS, "\n" REST,
         TEXTS("", "deliverySemantic: {type: at-least-once}", "deliverySemantic: {type: none}",
               "deliverySemantic: {type: exactly-once, transactionTimeout: 15min}",
               "deliverySemantic: {type: exactly-once, transactionTimeout: 900000}",
               "deliverySemantic: {type: exactly-once, transactionTimeoutMillis: 900000}",
               "deliverySemantic: {type: exactly-once, transactionTimeoutMillis: '900000'}",
               "properties: [compression.type: zstd, linger.ms: 5]")},
    };
    ASSERT_ALL_LOAD(all);
}

#define KINESIS_IN                                                                                 \
    "kind: io.statefun.kinesis.v1/ingress\nspec:\n  id: a/in\n"                                    \
    "  streams: [{stream: s, valueType: a/t, targets: [n/f]}]\n  "
#define KINESIS_OUT "kind: io.statefun.kinesis.v1/egress\nspec:\n  id: a/out\n  "

/* module-yaml.md 7 */
static void kinesis(void **state)
{
    (void)state;
    const struct spellings all[] = {
        {KINESIS_IN, "\n" REST,
         TEXTS("", "awsRegion: {type: default}", "awsRegion: {type: specific, id: us-west-2}",
               "awsRegion: {type: custom-endpoint, endpoint: 'https://localhost:4567', id: "
               "us-east-1}",
               "awsCredentials: {type: default}",
               "awsCredentials: {type: basic, accessKeyId: a, secretAccessKey: b}",
               "awsCredentials: {type: profile, profileName: p}",
               "awsCredentials: {type: profile, profileName: p, profilePath: /a/b}",
               "startupPosition: {type: earliest}", "startupPosition: {type: latest}",
               "startupPosition: {type: date, date: 2020-02-01 04:15:00.000 +0000}",
               "clientConfigProperties: []", "clientConfigProperties: [SocketTimeout: 9999]",
               "clientConfigProperties: [socketTimeout: 9, ConnectionTimeout: '9']",
               "clientConfigProperties: [aws.clientconfig.requestTimeout: 9]",
               "clientConfigProperties: [flink.shard.discovery.intervalmillis: 9, "
               "flink.shard.getrecords.intervalmillis: 9, flink.shard.getrecords.maxrecordcount: "
               "9]")},
        {"kind: io.statefun.kinesis.v1/ingress\nspec:\n  id: a/in\n  streams:\n", REST,
         TEXTS("  - {stream: s, valueType: v, targets: []}\n",
               "  - {stream: s.t_u-9, valueType: any text, targets: [n/f, n/g]}\n",
               "  - {stream: s, valueType: v, targets: [n/f]}\n"
               "  - {stream: t, valueType: w, targets: [n/g]}\n")},
        {KINESIS_OUT, "\n" REST,
         TEXTS("", "awsRegion: {type: specific, id: us-west-2}",
               "awsCredentials: {type: basic, accessKeyId: a, secretAccessKey: b}",
               "maxOutstandingRecords: 9999", "maxOutstandingRecords: '1'",
               "clientConfigProperties: [SocketTimeout: 9999]")},
    };
    ASSERT_ALL_LOAD(all);
}

/* module-yaml.md 8 */
static void playground(void **state)
{
    (void)state;
    const struct spellings all[] = {
        {"kind: io.statefun.playground.v1/ingress\nspec: {port: ", "}\n" SOME_ENDPOINT,
         TEXTS("8090", "'8090'", "0")},
        {"kind: io.statefun.playground.v1/egress\nspec: {port: 8091, topics: ", "}\n" REST,
         TEXTS("[greetings]", "[a, b]", "[]", "[7]")},
    };
    ASSERT_ALL_LOAD(all);
}

#define OLD_ENDPOINT                                                                               \
    "    endpoints:\n    - endpoint: {meta: {kind: http}, spec: {functions: n/*, "                 \
    "urlPathTemplate: 'http://h'}}\n"
/* module-yaml.md 11 */
static void format_3_0(void **state)
{
    (void)state;
    const struct spellings all[] = {
        {"version: \"3.0\"\nmodule:\n  meta: {type: ",
         "}\n  spec:\n" OLD_ENDPOINT "    ingresses:\n    - ingress:\n"
         "        meta: {type: io.statefun.kafka/ingress, id: a/b}\n"
         "        spec: {address: 'k:1', consumerGroupId: g, topics: [{topic: t, valueType: v, "
         "targets: [n/f]}]}\n",
         TEXTS("remote", "REMOTE", "'Remote'")},
        {"version: '3.0'\nmodule:\n  meta: {type: remote}\n  spec:\n" OLD_ENDPOINT
         "    egresses:\n    - egress:\n        meta: {id: a/out, type: ",
         "}\n        spec: {address: 'k:1'}\n    ingresses:\n    - ingress:\n"
         "        meta: {type: io.statefun.kafka.v1/ingress, id: a/b}\n"
         "        spec: {address: 'k:1', consumerGroupId: g, topics: [{topic: t, valueType: v, "
         "targets: [n/f]}]}\n",
         TEXTS("io.statefun.kafka/egress", "io.statefun.kafka.v1/egress")},
    };
    ASSERT_ALL_LOAD(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documents_and_kinds),
        cmocka_unit_test(values),
        cmocka_unit_test(endpoints),
        cmocka_unit_test(kafka_ingress),
        cmocka_unit_test(kinesis),
        cmocka_unit_test(kafka_egress),
        cmocka_unit_test(playground),
        cmocka_unit_test(format_3_0),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
