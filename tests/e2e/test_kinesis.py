"""Streams of Kinesis in and out: each record counted once, those of a key in order, whatever happens meanwhile."""
import http.server
import json
import subprocess
import time
import threading
from pathlib import Path

import pytest
from certificates import Authority
from kinesis_server import KEYS, REGION, TOKENS, Kinesis
from statefun_process import PROGRAM, wait_for

COUNTER = Path(__file__).resolve().parent / "kinesis_counter.py"
BASIC = f"{{type: basic, accessKeyId: AKIDBASIC, secretAccessKey: {KEYS['AKIDBASIC']}}}"
REGION_OF = "{{type: custom-endpoint, endpoint: '{endpoint}', id: " + REGION + "}}"
MODULE = """
kind: io.statefun.endpoints.v2/http
spec:
  functions: example/*
  urlPathTemplate: {url}
---
kind: io.statefun.kinesis.v1/ingress
spec:
  id: example/texts-in
  awsRegion: """ + REGION_OF + """
  awsCredentials: {credentials}
  startupPosition: {start}
  streams:
    - stream: texts
      valueType: example/text
      targets: [example/counter]
  clientConfigProperties:
    - flink.shard.getrecords.intervalmillis: 20
    - flink.shard.discovery.intervalmillis: 200
---
kind: io.statefun.kinesis.v1/egress
spec:
  id: example/counts
  awsRegion: """ + REGION_OF + """
  awsCredentials: {credentials}
"""


@pytest.fixture
def kinesis(tmp_path):
    kinesis = Kinesis(tmp_path)
    yield kinesis
    kinesis.end()
    assert not kinesis.bad_signatures


@pytest.fixture
def streams(kinesis):
    kinesis.make_stream("texts", 2)
    kinesis.make_stream("counts", 1)


@pytest.fixture
def make(kinesis, make_function, make_statefun):
    def make(start="{type: earliest}", credentials=BASIC):
        function = make_function(COUNTER)
        return make_statefun(MODULE.format(url=function.url, endpoint=kinesis.endpoint, start=start,
                                           credentials=credentials))
    return make


def texts(keys, first, count):
    return [(f"key{i % keys}", f"text{i}") for i in range(first, first + count)]


def expect_counts(kinesis, keys, count, stream="counts", seconds=40):
    """Every text was counted once, and in its key's order; the egress may have put a record twice."""
    expected = {}
    for key, text in texts(keys, 0, count):
        expected.setdefault(key, []).append(f"{key} {len(expected.get(key, [])) + 1} {text}")

    def find():
        found = {}
        for key, text in kinesis.read(stream):
            found.setdefault(key, []).append(text)
        for key in found:  # of what was put twice the last counts
            last = dict((text, i) for i, text in enumerate(found[key]))
            found[key] = sorted(last, key=last.get)
        return found
    deadline = time.monotonic() + seconds
    while find() != expected and time.monotonic() < deadline:
        time.sleep(0.1)  # also when all are there: what is put once more may be on its way
    assert find() == expected


def test_records_are_counted_once_and_in_order(kinesis, streams, make):
    statefun = make()
    kinesis.put("texts", texts(10, 0, 100))
    statefun.start()
    kinesis.put("texts", texts(10, 100, 100))
    expect_counts(kinesis, 10, 200)
    assert len(kinesis.read("counts")) == 200
    wait_for(lambda: statefun.metric("statefun_kinesis_ingress_records_total", stream="texts") == 200)
    assert statefun.metric("statefun_egress_records_total", egress="example/counts") == 200
    assert statefun.stop() == 0


def test_splitting_and_merging_keeps_the_order_of_a_key(kinesis, streams, make):
    """Also when parents and children wait to be read at the same time."""
    statefun = make()
    changes = [kinesis.split, kinesis.merge, kinesis.split, kinesis.merge, kinesis.merge]
    for part, change in enumerate(changes):
        kinesis.put("texts", texts(12, 60 * part, 60))
        change("texts")
        if part == 2:
            statefun.start()
        elif part == 3:
            statefun.kill()
    statefun.start()
    expect_counts(kinesis, 12, 300)


def test_nothing_is_lost_or_counted_twice_when_it_is_killed(kinesis, streams, make):
    statefun = make()
    for part in range(4):
        statefun.start()
        kinesis.put("texts", texts(7, 100 * part, 100))
        statefun.kill()
    statefun.start()
    expect_counts(kinesis, 7, 400)


def test_latest_begins_where_the_streams_end_also_after_a_crash(kinesis, streams, make):
    """And what was not wanted then is not read when a later run would begin earlier."""
    kinesis.put("texts", [("old", "text")] * 5)
    kinesis.split("texts")
    statefun = make(start="{type: latest}").start()
    wait_for(lambda: kinesis.calls.count("GetShardIterator") >= 4, what="the begin of each shard")
    kinesis.put("texts", texts(3, 0, 15))
    expect_counts(kinesis, 3, 15)  # and so what was begun before is committed
    statefun.kill()
    statefun.module.write_text(statefun.module.read_text().replace("{type: latest}", "{type: earliest}"))
    kinesis.put("texts", texts(3, 15, 15))
    statefun.start()
    expect_counts(kinesis, 3, 30)


def test_streams_that_come_later_are_waited_for(kinesis, make):
    statefun = make().start()
    wait_for(lambda: "a stream is not there" in statefun.log(), what="the complaint")
    kinesis.make_stream("texts", 2)
    kinesis.put("texts", texts(3, 0, 30))
    wait_for(lambda: "egress=example/counts stream=counts reason=" in statefun.log(), what="the other one")
    kinesis.make_stream("counts")
    expect_counts(kinesis, 3, 30)
    assert statefun.log().count("a stream is not there") == 2
    wait_for(lambda: statefun.log().count("Kinesis goes on") == 2, what="good news")


def test_an_outage_is_waited_for_and_said_once(kinesis, streams, make):
    statefun = make().start()
    kinesis.put("texts", texts(3, 0, 30))
    expect_counts(kinesis, 3, 30)
    kinesis.shut()
    wait_for(lambda: "Kinesis cannot be reached" in statefun.log(), what="the complaint")
    kinesis.put("texts", texts(3, 30, 30))
    kinesis.reopen()
    expect_counts(kinesis, 3, 60)
    wait_for(lambda: "Kinesis goes on" in statefun.log(), what="good news")
    assert statefun.log().count("Kinesis cannot be reached") == 1


@pytest.mark.parametrize("action, type, says", [
    ("*", "ExpiredTokenException", "Kinesis does not let us in"),
    ("GetRecords", "ExpiredIteratorException", "an iterator has expired"),
    ("GetShardIterator", "AccessDeniedException", "Kinesis does not let us in"),
    ("*", "ProvisionedThroughputExceededException", None),
])
def test_what_is_refused_is_tried_again(kinesis, streams, make, action, type, says):
    kinesis.put("texts", texts(3, 0, 30))
    kinesis.refuse(action, type, 4)
    statefun = make().start()
    expect_counts(kinesis, 3, 30)
    if says:
        wait_for(lambda: says in statefun.log() and "Kinesis goes on" in statefun.log(), what="the episode")
    assert KEYS["AKIDBASIC"] not in statefun.log()


def test_records_that_are_refused_in_a_request_end_in_their_order(kinesis, streams, make):
    kinesis.put("texts", texts(4, 0, 120))
    kinesis.refuse("PutRecords", "some", 8)
    statefun = make().start()
    expect_counts(kinesis, 4, 120)
    assert statefun.metric("statefun_egress_aborted_total", egress="example/counts") > 0


def test_a_stream_that_was_made_anew_is_read_from_its_beginning(kinesis, streams, make):
    statefun = make().start()
    kinesis.put("texts", [("a", "before")])
    wait_for(lambda: kinesis.read("counts"), what="the first count")
    time.sleep(1.1)  # the emulator's sequence numbers begin with the second in which the stream was made
    kinesis.delete_stream("texts")
    kinesis.make_stream("texts", 2)
    kinesis.put("texts", [("a", "after")])
    wait_for(lambda: ("a", "a 2 after") in kinesis.read("counts"), 40, "the count of what came after")
    assert statefun.process.poll() is None


def test_what_no_stream_can_take_is_set_aside_and_the_rest_goes_on(kinesis, streams, make):
    statefun = make().start()
    kinesis.put("texts", [("a", "to no/stream"), ("b", f"size {1 << 20}"), ("c", "size 900000"),
                          ("d", "size 900000"), ("e\0\u00e9", "fine")])
    wait_for(lambda: ("e\0\u00e9", "e\0\u00e9 1 fine") in kinesis.read("counts"), what="what is fine")
    wait_for(lambda: statefun.metric("statefun_dead_letters") == 2, what="the dead letters")
    wait_for(lambda: len(kinesis.read("counts")) >= 3, what="what is large")  # of other keys, so in any order
    assert sorted(len(text) for _, text in kinesis.read("counts")) == [len("e\0\u00e9 1 fine"), 900000, 900000]


def test_dead_letters_of_all_kinds_go_to_a_stream(kinesis, streams, make):
    kinesis.make_stream("letters")
    statefun = make()
    statefun.module.write_text(statefun.module.read_text().replace("targets: [example/counter]",
                                                                   "targets: [example/counter, nobody/serves]")
                               .replace("id: example/counts\n", "id: example/counts\n"
                                        "  deadLetters: {stream: letters, keep: false}\n"))
    statefun.start()
    kinesis.put("texts", [("a", "fine"), ("b", "to no/stream")])
    wait_for(lambda: len(kinesis.read("letters")) >= 2, what="the letters")
    found = [(key, json.loads(text)) for key, text in kinesis.read("letters")]
    assert sorted(key for key, _ in found) == ["a", "b"]
    assert {letter["target"] for _, letter in found} == {"nobody/serves/a", "nobody/serves/b"}
    assert found[0][1]["kind"] == "unserved" and found[0][1]["ingress"] == "example/texts-in"
    assert found[0][1]["origin"].startswith("stream texts shard shardId-")
    # What this egress itself cannot deliver is stored, and nothing else.
    stored = wait_for(lambda: json.loads(statefun.get("/deadletters")[2])["letters"], what="the other letter")
    assert statefun.metric("statefun_dead_letters") == 1
    assert [(letter["kind"], letter["egress"]) for letter in stored] == [("undeliverable", "example/counts")]


def test_every_record_becomes_a_message(kinesis, streams, make):
    """So a stream has no invalid records: neither empty data nor the longest of keys is one."""
    longest = "\u20ac" * 256
    statefun = make().start()
    kinesis.put("texts", [("empty", ""), (longest, "long")])
    wait_for(lambda: len(kinesis.read("counts")) >= 2, what="both")
    assert sorted(kinesis.read("counts")) == [("empty", "empty 1 nothing"), (longest, f"{longest} 1 long")]
    assert statefun.metric("statefun_dead_letters") == 0
    status, _, body = statefun.get("/ingresses")
    assert status == 200
    (ingress,) = json.loads(body)["ingresses"]
    shards = ingress.pop("shards")
    assert ingress == {"id": "example/texts-in", "kind": "io.statefun.kinesis.v1/ingress", "state": "running"}
    assert [(shard["stream"], shard["shard"][:8]) for shard in shards] == [("texts", "shardId-")] * 2


# --- credentials, as check --connect needs them ---

class Metadata(http.server.BaseHTTPRequestHandler):
    """An instance's."""

    def log_message(self, *arguments):
        pass

    def answer(self, text):
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def do_PUT(self):
        assert self.path == "/latest/api/token" and self.headers["X-aws-ec2-metadata-token-ttl-seconds"]
        self.answer("metadata-token")

    def do_GET(self):
        assert self.headers["X-aws-ec2-metadata-token"] == "metadata-token"
        self.answer({
            "/latest/meta-data/iam/security-credentials/": "the-role\n",
            "/latest/meta-data/iam/security-credentials/the-role": json.dumps({
                "AccessKeyId": "AKIDINSTANCE", "SecretAccessKey": KEYS["AKIDINSTANCE"],
                "Token": TOKENS["AKIDINSTANCE"], "Expiration": "2099-01-01T00:00:00Z"})}[self.path])


@pytest.fixture
def metadata():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Metadata)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def connect(kinesis, tmp_path, credentials, **environment):
    """check --connect, with nothing of AWS's around but what is given."""
    module = tmp_path / "module.yaml"
    module.write_text(MODULE.format(url="http://127.0.0.1:1/", endpoint=kinesis.endpoint, credentials=credentials,
                                    start="{type: latest}"))
    home = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "AWS_EC2_METADATA_DISABLED": "true"}
    result = subprocess.run([PROGRAM, "check", "-m", module, "--connect"], capture_output=True, text=True,
                            timeout=60, env={**home, **environment})
    assert result.returncode == 1  # there is no function
    return result


def is_let_in(result):
    return "ingress example/texts-in answers" in result.stdout and "egress example/counts answers" in result.stdout


def test_keys_come_from_where_aws_clients_look(kinesis, streams, tmp_path, metadata):
    profiles = tmp_path / ".aws"
    profiles.mkdir()
    default, named = "{type: default}", "{type: profile, profileName: work}"
    assert is_let_in(connect(kinesis, tmp_path, BASIC))
    assert is_let_in(connect(kinesis, tmp_path, default, AWS_ACCESS_KEY_ID="AKIDTEMPORARY",
                             AWS_SECRET_ACCESS_KEY=KEYS["AKIDTEMPORARY"],
                             AWS_SESSION_TOKEN=TOKENS["AKIDTEMPORARY"]))
    assert is_let_in(connect(kinesis, tmp_path, default, AWS_EC2_METADATA_DISABLED="false",
                             AWS_EC2_METADATA_SERVICE_ENDPOINT=metadata))
    missing = connect(kinesis, tmp_path, named)
    assert "the profile 'work'" in missing.stderr and "~/.aws/credentials" in missing.stderr
    (profiles / "credentials").write_text(
        f"[default]\naws_access_key_id = wrong\n[work]\n; mine\naws_access_key_id=AKIDPROFILE\n"
        f"aws_secret_access_key =  {KEYS['AKIDPROFILE']}\n")
    assert is_let_in(connect(kinesis, tmp_path, named))
    elsewhere = tmp_path / "elsewhere"
    (profiles / "credentials").rename(elsewhere)
    path = f"{{type: profile, profileName: work, profilePath: {elsewhere}}}"
    assert is_let_in(connect(kinesis, tmp_path, path))


def test_https_is_trusted_by_the_bundle_that_is_named(tmp_path):
    authority = Authority(tmp_path)
    kinesis = Kinesis(tmp_path, authority.issue("kinesis"))
    try:
        kinesis.make_stream("texts")
        assert kinesis.endpoint.startswith("https://")
        assert is_let_in(connect(kinesis, tmp_path, BASIC, AWS_CA_BUNDLE=str(authority.certificate)))
        refused = connect(kinesis, tmp_path, BASIC)
        assert not is_let_in(refused) and "certificate" in refused.stderr
    finally:
        kinesis.end()


def test_without_libcurl_it_says_what_to_install(kinesis, tmp_path):
    for name in ("libcurl.so.4", "libcurl-gnutls.so.4"):
        (tmp_path / name).write_bytes(b"")
    said = connect(kinesis, tmp_path, BASIC, LD_LIBRARY_PATH=str(tmp_path)).stderr
    assert "libcurl, which is not installed here" in said and "libcurl4" in said


def test_check_says_what_is_wrong_with_kinesis(kinesis, tmp_path):
    kinesis.make_stream("other")
    missing = connect(kinesis, tmp_path, BASIC)
    assert "stream 'texts': HTTP 400 ResourceNotFoundException" in missing.stderr
    nobody = connect(kinesis, tmp_path, "{type: default}")
    assert "there are no AWS credentials: expected AWS_ACCESS_KEY_ID" in nobody.stderr
    wrong = connect(kinesis, tmp_path, "{type: basic, accessKeyId: AKIDBASIC, secretAccessKey: hunter2}")
    assert "InvalidSignatureException" in wrong.stderr and "hunter2" not in wrong.stderr
    assert set(kinesis.bad_signatures) == {"InvalidSignatureException"}
    kinesis.bad_signatures.clear()
    kinesis.shut()
    assert "onnect" in connect(kinesis, tmp_path, BASIC).stderr


ROUTED = """
kind: io.statefun.playground.v1/ingress
spec: {{port: 0}}
---
kind: io.statefun.playground.v1/egress
spec: {{port: 0, topics: [out]}}
---
kind: io.statefun.kinesis.v1/ingress
spec:
  id: example/texts-in
  awsRegion: """ + REGION_OF + """
  awsCredentials: """ + BASIC.replace("{", "{{").replace("}", "}}") + """
  startupPosition: {{type: earliest}}
  streams: [{{stream: texts, valueType: example/text}}]
"""


def test_routers_in_c_get_the_records_of_streams(kinesis, make_statefun, tmp_path):
    """Instead of targets; what they fail on is set aside."""
    kinesis.make_stream("texts", 1)
    kinesis.put("texts", [("ann", "first"), ("ben", "bad"), ("ann", "last")])
    statefun = make_statefun(ROUTED.format(endpoint=kinesis.endpoint))
    config = tmp_path / "config.yaml"
    config.write_text("statefun.module.global-config.ingress: example/texts-in\n")
    statefun.start("--config", config, "-m", PROGRAM.parent / "tests/modules/routing.so")
    assert sorted(statefun.fetch_all("out", 4)) == sorted(
        f"{id}: routed ann {text} texts" for text in ("first", "last") for id in ("one", "two"))
    wait_for(lambda: statefun.metric("statefun_dead_letters") == 1)
    letters = statefun.get("/deadletters")[2].decode()
    assert "a bad record" in letters and "stream texts shard" in letters
