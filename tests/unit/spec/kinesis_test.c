#include "load.h"

#define INGRESS                                                                                    \
    "kind: io.statefun.kinesis.v1/ingress\nspec:\n  id: a/in\n"                                    \
    "  streams: [{stream: s, valueType: a/t, targets: [n/f]}]\n"
#define EGRESS "kind: io.statefun.kinesis.v1/egress\nspec:\n  id: a/out\n"
#define REST   SOME_ENDPOINT SOME_INGRESS

/* module-yaml.md 14.2, but for the endpoint */
static void the_complete_example_loads(void **state)
{
    (void)state;
    struct application *application =
        load_good("kind: io.statefun.kinesis.v1/ingress\n"
                  "spec:\n"
                  "  id: iot/readings\n"
                  "  awsRegion: {type: specific, id: eu-central-1}\n"
                  "  awsCredentials: {type: profile, profileName: iot}\n"
                  "  startupPosition: {type: date, date: \"2023-05-01 00:00:00.000 +0000\"}\n"
                  "  streams:\n"
                  "    - stream: readings\n"
                  "      valueType: iot.types/reading\n"
                  "      targets: [iot/sensor]\n"
                  "  clientConfigProperties:\n"
                  "    - SocketTimeout: 9999\n"
                  "---\n"
                  "kind: io.statefun.kinesis.v1/egress\n"
                  "spec:\n"
                  "  id: iot/alerts\n"
                  "  awsRegion: {type: custom-endpoint, endpoint: \"https://localhost:4567\", id: "
                  "us-east-1}\n"
                  "  awsCredentials: {type: basic, accessKeyId: test, secretAccessKey: secret}\n"
                  "  maxOutstandingRecords: 9999\n" SOME_ENDPOINT);
    assert_int_equal(application->kinesis_ingress_count, 1);
    const struct kinesis_ingress_spec *ingress = &application->kinesis_ingresses[0];
    assert_string_equal(ingress->id.name, "readings");
    assert_int_equal(ingress->place.line, 3);
    assert_string_equal(ingress->region.id, "eu-central-1");
    assert_null(ingress->region.endpoint);
    assert_int_equal(ingress->credentials.kind, AWS_PROFILE);
    assert_string_equal(ingress->credentials.profile, "iot");
    assert_null(ingress->credentials.profile_path);
    assert_int_equal(ingress->start, KINESIS_START_DATE);
    assert_int_equal(ingress->start_date_ms, 1682899200000);
    assert_int_equal(ingress->stream_count, 1);
    assert_string_equal(ingress->streams[0].stream, "readings");
    assert_string_equal(ingress->streams[0].value_type, "iot.types/reading");
    assert_string_equal(ingress->streams[0].targets[0].name, "sensor");
    assert_int_equal(ingress->client.request_ms, 9999);
    assert_int_equal(ingress->client.interval_ms, 200);

    assert_int_equal(application->kinesis_egress_count, 1);
    const struct kinesis_egress_spec *egress = &application->kinesis_egresses[0];
    assert_string_equal(egress->region.endpoint, "https://localhost:4567");
    assert_int_equal(egress->credentials.kind, AWS_BASIC);
    assert_string_equal(egress->credentials.access_key, "test");
    assert_string_equal(egress->credentials.secret_key, "secret");
    assert_int_equal(egress->outstanding_max, 9999);
    application_free(application);
}

static void upstreams_defaults(void **state)
{
    (void)state;
    struct application *application = load_good(INGRESS "---\n" EGRESS SOME_ENDPOINT);
    const struct kinesis_ingress_spec *ingress = &application->kinesis_ingresses[0];
    assert_int_equal(ingress->start, KINESIS_START_LATEST);
    assert_int_equal(ingress->credentials.kind, AWS_DEFAULT);
    assert_null(ingress->region.id);
    assert_int_equal(application->kinesis_egresses[0].outstanding_max, 1000);
    application_free(application);
}

static void faults_have_their_places_and_no_secret(void **state)
{
    (void)state;
    static const struct load_case cases[] = {
        {"kind: io.statefun.kinesis.v1/ingress\nspec: {id: a/b}\n",
         {"2:7: error: missing key 'streams' in io.statefun.kinesis.v1/ingress"}},
        {"kind: io.statefun.kinesis.v1/ingress\nspec: {id: a/b, streams: []}\n",
         {"2:26: error: 'streams': expected a list of objects with stream"}},
        {"kind: io.statefun.kinesis.v1/ingress\nspec: {id: a/b, streams: [{stream: a/b, valueType: "
         "v, targets: []}]}\n",
         {"2:36: error: 'stream': expected a stream: at most 128 letters"}},
        {INGRESS "  awsRegion: us-west-2\n",
         {"5:14: error: 'awsRegion': expected an object with a 'type', found text"}},
        {INGRESS "  awsRegion: {type: special, id: us-west-2}\n",
         {"5:21: error: awsRegion: Invalid AWS region type: expected 'type' to be one of default, "
          "specific, custom-endpoint|did you mean 'specific'?"}},
        {INGRESS "  awsRegion: {type: specific}\n",
         {"5:14: error: missing key 'id' in awsRegion of type specific"}},
        {INGRESS "  awsRegion: {type: specific, id: US West}\n",
         {"5:35: error: 'id': expected a region such as us-west-2"}},
        {INGRESS "  awsRegion: {type: custom-endpoint, id: a, endpoint: 'https://h/path'}\n",
         {"5:55: error: 'endpoint': expected https://, a host and perhaps ':' and a port"}},
        {INGRESS "  awsRegion: {type: custom-endpoint, id: a, endpoint: 'http://h:1'}\n",
         {"5:55: warning: 'endpoint' is not https"}},
        {INGRESS "  awsCredentials: {type: basic, accessKeyId: a}\n",
         {"5:19: error: missing key 'secretAccessKey'"}},
        {INGRESS "  awsCredentials: {type: basic, accessKeyId: a, secretAccessKey: [hunter2]}\n",
         {"5:66: error: 'secretAccessKey': expected text, found a list"}},
        {INGRESS "  awsCredentials: {type: profile}\n", {"5:19: error: missing key 'profileName'"}},
        {INGRESS "  startupPosition: {type: group-offsets}\n",
         {"5:27: error: startupPosition: Invalid startup position type: expected 'type' to be one "
          "of latest, earliest, date"}},
        {INGRESS "  clientConfigProperties: [{SocketTimeout: soon}]\n",
         {"5:29: error: 'SocketTimeout': expected an integer from 1 to 2147483647"}},
        {INGRESS "  clientConfigProperties: [{ProxyHost: h}]\n",
         {"5:29: warning: 'ProxyHost' has no effect"}},
        {INGRESS "  clientConfigProperties: {SocketTimeout: 1}\n",
         {"5:27: error: 'clientConfigProperties': expected a list of single-entry maps"}},
        {EGRESS "  maxOutstandingRecords: 0\n",
         {"4:26: error: 'maxOutstandingRecords': expected an integer from 1 to"}},
        {"kind: io.statefun.kinesis.v1/ingress\nspec:\n  id: a/in\n"
         "  streams: [{stream: s, valueType: a/t, targets: [nobody/f]}]\n",
         {"4:13: warning: no endpoint serves the target nobody/f of stream 's'"}},
    };
    CHECK_CASES(cases, REST, NULL);
}

static void dead_letters_may_go_to_a_stream(void **state)
{
    (void)state;
    struct application *application =
        load_good(EGRESS "  deadLetters: {stream: letters, keep: false, format: JSON}\n---\n"
                         "kind: io.statefun.kinesis.v1/egress\nspec:\n  id: a/other\n" REST);
    assert_string_equal(application->kinesis_egresses[0].dead_letters.to, "letters");
    assert_true(application->kinesis_egresses[0].dead_letters.drops);
    assert_int_equal(application->kinesis_egresses[0].dead_letters.format, LETTERS_JSON);
    assert_null(application->kinesis_egresses[1].dead_letters.to);
    application_free(application);

    static const struct load_case cases[] = {
        {EGRESS "  deadLetters: letters\n",
         {"4:16: error: 'deadLetters': expected an object with stream, and perhaps keep"}},
        {EGRESS "  deadLetters: {topic: letters}\n",
         {"4:16: error: missing key 'stream'",
          "4:17: warning: unknown key 'topic' in deadLetters"}},
        {EGRESS "  deadLetters: {stream: a/b}\n",
         {"4:25: error: 'stream': expected a stream: at most 128 letters"}},
        {EGRESS "  deadLetters: {stream: s, format: raw}\n",
         {"4:36: error: 'format': expected json, found raw: a record of Kinesis has no headers"}},
        {EGRESS "  deadLetters: {stream: s, format: avro}\n",
         {"4:36: error: 'format': expected json, found text"}},
        {EGRESS "  deadLetters: {stream: s}\n---\nkind: io.statefun.kafka.v1/egress\nspec:\n"
                "  id: a/kafka\n  address: k:1\n  deadLetters: {topic: t}\n",
         {"10:16: error: dead letters go to one egress: expected 'deadLetters' once, found them at "
          "m.yaml:4 too"}},
        {EGRESS "  deadLetters: {stream: s}\n---\nkind: io.statefun.kinesis.v1/egress\nspec:\n"
                "  id: a/b\n  deadLetters: {stream: t}\n",
         {"9:16: error: dead letters go to one egress"}},
    };
    CHECK_CASES(cases, REST, NULL);
}

/* As errors of check, and warnings of run. */
static void what_makes_no_sense_for_kinesis_is_said(void **state)
{
    (void)state;
    static const struct application_options strict = {.unknown_keys_are_errors = true};
    static const struct load_case errors[] = {
        {INGRESS "  invalidRecordHandling: fail\n",
         {"5:26: error: 'invalidRecordHandling' has no effect in io.statefun.kinesis.v1/ingress: "
          "every record of Kinesis has a partition key and data, so each becomes a message"}},
        {INGRESS "  invalidRecordTarget: a/b\n", {"5:24: error: 'invalidRecordTarget' has no"}},
        {INGRESS "  deadLetters: {topic: t}\n",
         {"5:16: error: 'deadLetters' has no effect in io.statefun.kinesis.v1/ingress: dead "
          "letters "
          "of the whole application go by an egress"}},
        {EGRESS "  invalidRecordHandling: skip\n",
         {"4:26: error: 'invalidRecordHandling' has no effect in io.statefun.kinesis.v1/egress: it "
          "is about records that come in: expected it in the spec of a Kafka ingress"}},
    };
    static const struct load_case warnings[] = {
        {INGRESS "  invalidRecordHandling: fail\n",
         {"5:26: warning: 'invalidRecordHandling' has no effect"}},
        {INGRESS "  colour: red\n",
         {"5:3: warning: unknown key 'colour' in io.statefun.kinesis.v1/ingress: expected one of "
          "id, awsRegion, awsCredentials, startupPosition, streams, clientConfigProperties"}},
    };
    CHECK_CASES(errors, REST, &strict);
    CHECK_CASES(warnings, REST, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_complete_example_loads),
        cmocka_unit_test(upstreams_defaults),
        cmocka_unit_test(faults_have_their_places_and_no_secret),
        cmocka_unit_test(dead_letters_may_go_to_a_stream),
        cmocka_unit_test(what_makes_no_sense_for_kinesis_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
