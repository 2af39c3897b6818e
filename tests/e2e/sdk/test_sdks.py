"""The four official SDKs, as released, and ours for C: one application (README.md), and the same results from each of
them."""
import json
import struct
import time

import languages
import pytest
from google.protobuf.duration_pb2 import Duration
from kinesis_server import KEYS, REGION, Kinesis
from statefun_process import PLAYGROUND, wait_for

MODULE = """
kind: io.statefun.endpoints.v2/http
spec:
  functions: sdk/*
  urlPathTemplate: http://127.0.0.1:{port}/statefun
---
kind: io.statefun.endpoints.v2/http
spec:
  functions: path/*
  urlPathTemplate: http://127.0.0.1:{port}/functions/{{function.name}}
""" + PLAYGROUND
EGRESSES = """
---
kind: io.statefun.kafka.v1/egress
spec:
  id: sdk/kafka
  address: {address}
  deliverySemantic:
    type: exactly-once
    transactionTimeout: 1min
---
kind: io.statefun.kinesis.v1/egress
spec:
  id: sdk/kinesis
  awsRegion:
    type: custom-endpoint
    endpoint: {endpoint}
    id: {region}
  awsCredentials:
    type: basic
    accessKeyId: AKIDBASIC
    secretAccessKey: {secret}
"""
HOUR = 3_600_000


class Application:
    """A runtime, and functions in one language; those of an embedded module are in the runtime."""

    def __init__(self, make_function, make_statefun, language, tmp_path, egresses=""):
        self.language = language
        self.make_function = make_function
        self.config, self.flags, module = tmp_path / "config.yaml", [], PLAYGROUND
        if language == languages.EMBEDDED:
            self.embed()
        else:
            self.function = languages.start(make_function, language)
            module = MODULE.format(port=self.function.port)
        self.statefun = make_statefun(module + egresses).start(*self.flags)

    def embed(self, *settings):
        """From the next start on, with these in the configuration."""
        self.config.write_text("".join(f"statefun.module.global-config.{name}: yes\n" for name in settings))
        self.flags = ["--config", self.config, "-m", languages.MODULE]

    def send(self, address, value, type="text/plain"):
        status, _, body = self.statefun.post(f"/in/{address}", value, type)
        assert status == 202, body

    def command(self, id, *commands):
        self.send(f"sdk/commands/{id}", json.dumps({"do": commands}), "sdk.types/commands")

    def reports(self, count, seconds=30):
        return [json.loads(report) for report in self.statefun.fetch_all("out", count, seconds)]

    def report(self):
        return self.reports(1)[0]

    def restart(self):
        assert self.statefun.stop() == 0
        self.statefun.start(*self.flags)

    def crash(self):
        """Only while no report was fetched: a crash right after gives that away once more."""
        self.statefun.kill()
        self.statefun.start(*self.flags)

    def tolerate(self):
        """Goes on with functions that report what they cannot read."""
        if self.language == languages.EMBEDDED:
            self.embed("tolerant")
            self.restart()
        else:
            self.speak(self.language, "--tolerant")

    def speak(self, language, *flags):
        """Goes on with functions in another language, or another mode, at the same place."""
        port = self.function.port
        self.function.kill()
        if language == languages.EMBEDDED:
            self.embed()
            self.statefun.module.write_text(PLAYGROUND)
            return self.restart()
        self.function = languages.start(self.make_function, language, *flags, port=port)


@pytest.fixture(params=[*languages.ALL, languages.EMBEDDED])
def app(request, make_function, make_statefun, tmp_path):
    return Application(make_function, make_statefun, request.param, tmp_path)


def send(id, *commands, **when):
    return {"op": "send", "to": id, "do": commands, **when}


def add(n):
    return {"op": "add", "n": n}


def emit(text):
    return {"op": "emit", "text": text}


REPORT = {"op": "report"}

# Two values of each type as they are encoded; the first is the type's default, of which nothing is encoded.
VALUES = {
    "io.statefun.types/int": [b"", b"\x0d" + struct.pack("<i", -5)],
    "io.statefun.types/long": [b"", b"\x09" + struct.pack("<q", -2**62 - 1)],
    "io.statefun.types/float": [b"", b"\x0d" + struct.pack("<f", 1.1)],
    "io.statefun.types/double": [b"", b"\x09" + struct.pack("<d", 1.1)],
    "io.statefun.types/bool": [b"", b"\x08\x01"],
    "io.statefun.types/string": [b"", "\x0a\x0bGrüße \u2603".encode("utf-8")],
    "sdk.types/words": [b"one", b"two words"],
    "type.googleapis.com/google.protobuf.Duration": [b"", Duration(seconds=5, nanos=7).SerializeToString()],
}
LONG_AND_DOUBLE = ("io.statefun.types/long", "io.statefun.types/double")


def types_of(language):
    lacks = LONG_AND_DOUBLE if language in languages.WITHOUT_LONG_AND_DOUBLE else ()
    return [type for type in VALUES if type not in lacks]


def mirrored(type, value, id="1", by="types"):
    return {"id": id, "type": type, "hex": value.hex(), "caller": f"sdk/{by}/{id}"}


def test_a_value_of_each_type_is_read_kept_over_a_restart_and_sent_on(app):
    for type in types_of(app.language):
        app.send("sdk/types/1", VALUES[type][0], type)
        assert app.report() == mirrored(type, VALUES[type][0])
    app.restart()
    for type in types_of(app.language):
        app.send("sdk/types/1", VALUES[type][1], type)
        assert app.reports(2) == [mirrored(type, value) for value in VALUES[type]]


def test_states_are_taken_over_by_functions_in_another_language(make_function, make_statefun, tmp_path):
    app = Application(make_function, make_statefun, languages.ALL[-1], tmp_path)
    known = {}
    for turn, language in enumerate([*languages.ALL, languages.EMBEDDED]):
        app.speak(language)
        for type in types_of(language):
            old, new = known.get(type), VALUES[type][turn % 2]
            app.send("sdk/types/1", new, type)
            expected = [mirrored(type, value) for value in (old, new) if value is not None]
            assert app.reports(len(expected)) == expected, language
            known[type] = new


def test_a_message_is_forwarded_as_it_is(app):
    app.send("sdk/mirror/1", b"\x00\xff", "somebody/elses.type")
    assert app.report() == {"id": "1", "type": "somebody/elses.type", "hex": "00ff", "caller": None}
    app.send("sdk/forwarder/1", b"\x00\xff", "somebody/elses.type")
    assert app.report() == mirrored("somebody/elses.type", b"\x00\xff", by="forwarder")


ALL_STATES = ["always", "day_written", "day_called", "second_written", "second_called"]


def test_a_state_that_was_deleted_is_absent(app):
    app.send("sdk/expiring/1", "set")
    assert app.report()["present"] == ALL_STATES
    app.send("sdk/expiring/1", "delete")
    assert "always" not in app.report()["present"]
    app.restart()
    app.send("sdk/expiring/1", "read")
    assert "always" not in app.report()["present"]


def test_states_expire_a_time_after_they_were_written_or_called_for(app):
    """What is read all the time expires nevertheless, unless it is the calls that keep it: the longest time between
    two of them is measured, so that a slow machine is not mistaken for a wrong mode."""
    for _ in range(5):
        called = time.monotonic()
        app.send("sdk/expiring/1", "set")
        assert app.report()["present"] == ALL_STATES
        written, pause, lost = time.monotonic(), 0.0, False
        while called < written + 1.1:
            before = time.monotonic()
            app.send("sdk/expiring/1", "read")
            present = app.report()["present"]
            pause, called = max(pause, time.monotonic() - called), before
            lost = lost or "second_called" not in present
        assert "second_written" not in present and present[:3] == ALL_STATES[:3]
        if pause < 1:
            assert not lost
            break
    else:
        pytest.skip("the machine is too busy to call a function twice in a second")
    app.restart()

    def everything_that_can_has_expired():
        time.sleep(1.1)
        app.send("sdk/expiring/1", "read")
        return app.report()["present"] == ALL_STATES[:3]
    wait_for(everything_that_can_has_expired)


def test_messages_to_oneself_and_to_others_arrive_in_the_order_sent(app):
    app.command("a", send("a", emit("third"), send("b", REPORT)), send("b", add(2), emit("in b")), add(1), REPORT)
    reports = app.reports(4)
    assert [report for report in reports if report["id"] == "a"] == [
        {"id": "a", "sum": 1, "calls": 1, "caller": None}, {"id": "a", "emit": "third"}]
    assert [report for report in reports if report["id"] == "b"] == [
        {"id": "b", "emit": "in b"}, {"id": "b", "sum": 2, "calls": 2, "caller": "sdk/commands/a"}]


def test_delayed_messages_arrive_once_also_over_a_restart(app):
    app.command("a", send("a", add(1), emit("later"), after=1000), send("b", emit("at once"), after=0),
                send("b", emit("never mind"), after=1, token="not cancelled"))
    app.crash()
    reports = app.reports(3)
    assert {report["emit"] for report in reports} == {"later", "at once", "never mind"}
    app.command("a", REPORT)
    assert app.report() == {"id": "a", "sum": 1, "calls": 3, "caller": None}
    assert app.statefun.metric("statefun_delayed_messages") == 0


def test_a_cancelled_message_does_not_arrive_and_its_token_is_free_again(app):
    def waiting():
        return app.statefun.metric("statefun_delayed_messages")
    app.command("a", send("b", emit("cancelled"), after=HOUR, token="t"), send("b", emit("other"), after=HOUR))
    wait_for(lambda: waiting() == 2)
    app.crash()
    wait_for(lambda: waiting() == 2)  # stored, or sent by the invocation once more
    app.command("a", {"op": "cancel", "token": "t"}, {"op": "cancel", "token": "nobody has this"})
    wait_for(lambda: waiting() == 1)
    app.command("a", send("b", emit("again"), after=0, token="t"))
    assert app.report() == {"id": "b", "emit": "again"}


def test_a_failure_undoes_the_invocation_and_it_is_tried_again(app):
    app.command("a", add(1), emit("once"), send("b", emit("also once")),
                {"op": "fail", "name": "test", "times": 3}, REPORT)
    reports = app.reports(3)
    assert sorted(report["id"] for report in reports) == ["a", "a", "b"]
    assert {"id": "a", "sum": 1, "calls": 1, "caller": None} in reports
    assert app.statefun.metric("statefun_functions_remote_invocation_failures_total", name="commands") == 3
    assert app.statefun.fetch("out") is None


def test_a_message_of_a_wrong_type_waits_until_the_function_can_read_it_and_holds_up_nobody_else(app):
    app.send("sdk/types/1", b"?", "somebody/elses.type")
    app.send("sdk/types/1", b"", "io.statefun.types/int")
    wait_for(lambda: app.statefun.metric("statefun_retrying_addresses") == 1)
    app.send("sdk/types/2", b"", "io.statefun.types/int")
    assert app.report() == mirrored("io.statefun.types/int", b"", id="2")
    app.restart()
    app.tolerate()
    assert app.reports(2) == [{"id": "1", "unreadable": "somebody/elses.type"}, mirrored("io.statefun.types/int", b"")]


def test_invocations_that_wait_for_each_other_are_under_way_together(app):
    for word, met in (("alone", 1), ("together", 3)):  # the first invocation of each worker is under way alone
        for id in "abc":
            app.send(f"sdk/meeting/{id}", word)
        assert sorted((report["id"], report["met"]) for report in app.reports(3)) == [(id, met) for id in "abc"]


def test_a_template_gives_each_function_a_url_of_its_own(app):
    for name in ("one", "two"):
        app.send(f"path/{name}/1", "hello")
        assert app.report() == {"id": "1", "function": f"path/{name}"}


# What the builders of Kafka records make of values without a type; not all SDKs take numbers.
NUMBERS = {
    "python": [struct.pack(">i", 258), struct.pack(">d", 1.5)],
    "go": [struct.pack(">i", 258), struct.pack(">d", 1.5), struct.pack(">q", 259), struct.pack(">f", 2.5)],
    "java": [],
    "javascript": [struct.pack(">i", 258)],
    "c": [struct.pack(">i", 258), struct.pack(">d", 1.5), struct.pack(">q", 259), struct.pack(">f", 2.5)],
}
NUMBERS[languages.EMBEDDED] = NUMBERS["c"]


@pytest.fixture
def kinesis(tmp_path):
    kinesis = Kinesis(tmp_path)
    yield kinesis
    kinesis.end()


@pytest.mark.parametrize("language", [*languages.ALL, languages.EMBEDDED])
def test_records_for_kafka_and_kinesis_arrive_as_built(broker, kinesis, unique, make_function, make_statefun, tmp_path,
                                                       language):
    broker.make_topic(unique)
    kinesis.make_stream(unique, 2)
    kinesis.put(unique, [("bob", "in the second shard")])
    egresses = EGRESSES.format(address=broker.address, endpoint=kinesis.endpoint, region=REGION,
                               secret=KEYS["AKIDBASIC"])
    app = Application(make_function, make_statefun, language, tmp_path, egresses)
    app.send("sdk/egresses/ada", unique)
    expected = [("ada", b"text"), ("ada", b"\x00\xff"), *(("ada", number) for number in NUMBERS[language]),
                (None, b"no key")]
    assert broker.read(unique, len(expected), text=False) == expected
    wait_for(lambda: len(kinesis.read(unique)) > 1)
    # By its partition key it would come into the second shard as well: the hash key has put it into the first.
    assert kinesis.read(unique) == [("ada", "text"), ("bob", "in the second shard")]
    assert app.statefun.metric("statefun_dead_letters") == 0
