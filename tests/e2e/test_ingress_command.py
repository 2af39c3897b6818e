"""statefun ingress: an ingress that has stopped at an invalid record is seen, and goes on when it is told to."""
import json
from pathlib import Path

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from statefun_process import MODULE, ask, wait_for

INGRESS = """
---
kind: io.statefun.kafka.v1/ingress
spec:
  id: example/{name}
  address: {address}
  consumerGroupId: {topic}
  startupPosition: {{type: earliest}}
  invalidRecordHandling: fail
  topics: [{{topic: {topic}, valueType: example/visit, targets: [example/echo]}}]
"""
NAMES = ["one", "two"]
TOKEN = "a-secret-of-some-length"


@pytest.fixture
def statefun(broker, unique, make_function, make_statefun):
    """Has two ingresses, which stop at their second record of five."""
    module = MODULE.format(url=make_function(Path(__file__).parent / "echo.py").url)
    for name in NAMES:
        topic = f"{unique}-{name}"
        broker.make_topic(topic, partitions=2)
        broker.produce(topic, [("Ada", name), (None, "no key"), ("Grace", name), (None, "neither"), ("Alan", name)],
                       partition=0)
        module += INGRESS.format(name=name, address=broker.address, topic=topic)
    statefun = make_statefun(module).start("--application", unique)
    assert sorted(statefun.fetch_all("out", 2)) == [f"echo Ada example/visit {name}" for name in NAMES]
    wait_for(lambda: statefun.metric("statefun_kafka_ingress_stopped") == 4, what="the stop of both")
    return statefun


def ingresses(statefun, *names):
    lines = statefun.command("ingress", "list", "--json", *names).splitlines()
    return {ingress["id"]: ingress for ingress in map(json.loads, lines)}


def stopped_at(statefun, name):
    """The offset at which it has stopped, or None."""
    ingress = ingresses(statefun)[f"example/{name}"]
    return int(ingress["at"].rsplit(" ", 1)[1]) if ingress["state"] == "stopped" else None


def test_the_list_says_where_each_is_and_why_it_has_stopped(unique, statefun):
    found = ingresses(statefun)
    assert list(found) == ["example/one", "example/two", "io.statefun.playground/ingress"]
    one = found["example/one"]
    assert one["kind"] == "io.statefun.kafka.v1/ingress" and one["state"] == "stopped" and one["since"] > "2020"
    assert one["at"] == f"topic {unique}-one partition 0 offset 1" and "has no key" in one["cause"]
    first, second = one["partitions"]
    assert first == {"topic": f"{unique}-one", "partition": 0, "position": 1, "end": first["end"]}
    assert second["partition"] == 1 and second["position"] == 0
    assert found["io.statefun.playground/ingress"] == {
        "id": "io.statefun.playground/ingress", "kind": "io.statefun.playground.v1/ingress", "state": "running"}
    assert list(ingresses(statefun, "example/two")) == ["example/two"]

    text = statefun.command("ingress", "list").splitlines()
    assert len(text) == 3
    assert text[0].startswith("example/one  io.statefun.kafka.v1/ingress  stopped  20")
    assert f"topic {unique}-one partition 0 offset 1: the record has no key" in text[0]
    assert text[2] == "io.statefun.playground/ingress  io.statefun.playground.v1/ingress  running"
    positions = statefun.command("ingress", "list", "--positions", "example/one").splitlines()
    assert positions[1].startswith(f"    {unique}-one/0  position 1")


def test_a_record_that_is_skipped_becomes_a_dead_letter_and_only_its_ingress_goes_on(broker, unique, statefun):
    said = statefun.command("ingress", "resume", "example/one", "--skip")
    assert said == f"resumed: example/one, topic {unique}-one partition 0 offset 1 is passed over, as a dead letter\n"
    assert [letter["value"]["text"] for letter in statefun.letters()] == ["no key"]  # durable when it is answered
    statefun.kill()
    statefun.start("--application", unique)
    # The next record that is invalid was not meant.
    wait_for(lambda: stopped_at(statefun, "one") == 3, what="the next stop")
    wait_for(lambda: stopped_at(statefun, "two") == 1, what="the stop of the other, as it was")
    assert "resumed: example/one" in statefun.command("ingress", "resume", "example/one", "--skip")
    assert sorted(statefun.fetch_all("out", 2)) == ["echo Alan example/visit one", "echo Grace example/visit one"]
    broker.produce(f"{unique}-one", [("Edsger", "later")], partition=1)
    assert statefun.fetch_all("out", 1) == ["echo Edsger example/visit later"]
    assert stopped_at(statefun, "one") is None and stopped_at(statefun, "two") == 1
    assert "example/one" not in statefun.get("/readyz")[2].decode()
    assert statefun.metric("statefun_kafka_ingress_stopped", ingress="example/one") == 0
    assert statefun.metric("statefun_kafka_ingress_rejected_total", ingress="example/one") == 1  # in this life
    assert [letter["origin"].rsplit(" ", 1)[1] for letter in statefun.letters()] == ["1", "3"]
    assert "has not stopped" in statefun.command("ingress", "resume", "example/one", code=1)


def test_what_is_read_again_and_still_invalid_stops_it_again_and_costs_nothing(unique, statefun):
    said = statefun.command("ingress", "resume").splitlines()
    assert said == [f"resumed: example/{name}, topic {unique}-{name} partition 0 offset 1 is read again"
                    for name in NAMES]
    stops = "an ingress stops at an invalid record"
    wait_for(lambda: statefun.log().count(stops) == 4, what="another stop of both")
    assert [stopped_at(statefun, name) for name in NAMES] == [1, 1]
    assert statefun.fetch("out") is None and statefun.letters() == []


def test_it_goes_on_when_the_record_is_not_in_its_topic_any_more(broker, unique, statefun):
    """And does not go to the end of the partition, whatever autoOffsetResetPosition says."""
    partition = TopicPartition(f"{unique}-one", 0, 4)
    admin = AdminClient({"bootstrap.servers": broker.address})
    admin.delete_records([partition])[partition].result(30)
    statefun.command("ingress", "resume", "example/one")
    assert statefun.fetch_all("out", 1) == ["echo Alan example/visit one"]
    assert stopped_at(statefun, "one") is None and statefun.letters() == []


def test_who_may_and_what_makes_no_sense(statefun, unique, monkeypatch):
    admin = statefun.listeners["admin"]

    def request(method, path, **headers):
        status, _, body = ask(admin, method, path, headers=headers)
        return status, body.decode()
    for path, wrong in (("/ingresses/resume", "expected either name"), ("/ingresses/resume?all=yes", "all: expected"),
                        ("/ingresses/resume?name=example/one&all=true", "expected either name"),
                        ("/ingresses/resume?name=example/one&skip=1", "skip: expected true"),
                        ("/ingresses/resume?from=3", "found 'from'")):
        status, body = request("POST", path)
        assert status == 400 and wrong in json.loads(body)["error"], path
    assert request("GET", "/ingresses?all=true")[0] == 400
    assert request("GET", "/ingresses/resume?all=true")[0] == 405 and request("POST", "/ingresses")[0] == 405
    for method, path in (("GET", "/ingresses?name=example/three"), ("POST", "/ingresses/resume?name=example/three")):
        status, body = request(method, path)
        assert status == 404 and "expected one of example/one, example/two, io.statefun.pl" in body
    status, body = request("POST", "/ingresses/resume?name=io.statefun.playground/ingress")
    assert status == 409 and "has not stopped" in body
    assert request("POST", "/ingresses/resume?all=true", Origin="http://evil")[0] == 403
    assert [stopped_at(statefun, name) for name in NAMES] == [1, 1]

    assert "expected list or resume, found 'show'" in statefun.command("ingress", "show", code=2)
    assert "--skip is for resume" in statefun.command("ingress", "list", "--skip", code=2)
    assert "there is no ingress 'example/three'" in statefun.command("ingress", "resume", "example/three", code=1)
    assert statefun.stop() == 0
    assert "no runtime uses the data directory" in statefun.command("ingress", "resume", code=1)

    monkeypatch.setenv("STATEFUN_ADMIN_TOKEN", TOKEN)
    statefun.start("--application", unique)
    admin = statefun.listeners["admin"]
    for path, method in (("/ingresses", "GET"), ("/ingresses/resume?all=true", "POST")):
        assert request(method, path)[0] == 401
        assert request(method, path, Authorization="Bearer wrong")[0] == 401
    wait_for(lambda: stopped_at(statefun, "one") == 1, what="the stop")
    assert "is passed over" in statefun.command("ingress", "resume", "--skip", "example/one")
    monkeypatch.setenv("STATEFUN_ADMIN_TOKEN", "another-secret-of-length")
    assert "token is wrong" in statefun.command("ingress", "resume", "--skip", code=2)
