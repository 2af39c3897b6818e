"""`deadLetters` of a Kafka egress: what is set aside goes to a topic too, exactly once, as JSON or as it was."""
import json
from pathlib import Path

import pytest
from confluent_kafka import Consumer, TopicPartition
from statefun_process import ask, wait_for

MODULE = """
kind: io.statefun.endpoints.v2/http
spec:
  functions: example/*
  urlPathTemplate: {url}
---
kind: io.statefun.kafka.v1/ingress
spec:
  id: example/in
  address: {address}
  consumerGroupId: {topic}
  startupPosition: {{type: earliest}}
  topics: [{{topic: {topic}, valueType: example/visit, targets: [example/echo]}}]
---
kind: io.statefun.kafka.v1/egress
spec:
  id: example/letters
  address: {address}
  deliverySemantic: {{type: exactly-once, transactionTimeout: 1min}}
  deadLetters: {letters}
---
kind: io.statefun.playground.v1/egress
spec: {{port: 0, topics: [out]}}
"""


@pytest.mark.parametrize("keep", [True, False])
def test_dead_letters_go_to_a_topic_exactly_once(broker, unique, make_function, make_statefun, keep):
    echo = make_function(Path(__file__).parent / "echo.py")
    for topic in (unique, f"{unique}-letters"):
        broker.make_topic(topic)
    letters = f"{{topic: {unique}-letters, keep: {str(keep).lower()}}}"
    statefun = make_statefun(MODULE.format(url=echo.url, address=broker.address, topic=unique, letters=letters))
    for life in range(4):
        broker.produce(unique, [("key", None), (None, f"no key {life}")] * 5)
        statefun.start("--application", unique)
        wait_for(lambda: statefun.metric("statefun_kafka_ingress_rejected_total") > life, what="some letters")
        statefun.kill()
    statefun.start("--application", unique)
    records = broker.read(f"{unique}-letters", 40)
    assert len(records) == 40
    parsed = [json.loads(value) for _, value in records]
    assert len({letter["id"] for letter in parsed}) == 40
    origins = sorted(int(letter["origin"].rsplit(" ", 1)[1]) for letter in parsed)
    assert origins == list(range(40))
    assert {key for key, _ in records} == {"key", "example/echo"}
    assert parsed[0]["kind"] == "invalid-record" and parsed[0]["ingress"] == "example/in"
    assert statefun.metric("statefun_dead_letters") == (40 if keep else 0)


def read_whole(broker, topic, count):
    """Key, value and headers of each record, as bytes."""
    consumer = Consumer({"bootstrap.servers": broker.address, "group.id": "reader", "enable.auto.commit": False,
                         "isolation.level": "read_committed"})
    consumer.assign([TopicPartition(topic, 0, 0)])
    records = []

    def enough():
        message = consumer.poll(0.1)
        if message is not None and not message.error():
            records.append((message.key(), message.value(), message.headers() or []))
        return len(records) >= count
    wait_for(enough, 30, f"{count} records of {topic}")
    consumer.close()
    return records


def test_raw_letters_are_the_records_that_they_were_with_the_rest_in_headers(
        broker, unique, make_function, make_statefun):
    echo = make_function(Path(__file__).parent / "echo.py")
    for topic in (unique, f"{unique}-letters"):
        broker.make_topic(topic)
    module = MODULE.format(url=echo.url, address=broker.address, topic=unique,
                           letters=f"{{topic: {unique}-letters, format: raw}}")
    module = module.replace("targets: [example/echo]", "targets: [example/echo, nobody/serves]")
    statefun = make_statefun(module.replace("startupPosition", "forwardHeaders: true\n  startupPosition"))
    headers = [("trace", b"\xff\x00"), ("trace", b""), ("other", None)]
    sent = [(None, b"no key"), (b"\xff\xfe", None), (b"", None), (None, None), (b"Ada", b"text")]
    producer = broker.producer()
    for key, value in sent:
        producer.produce(unique, key=key, value=value, headers=headers)
    producer.produce(unique, key=b"Grace", value=b"")  # without headers
    assert producer.flush(30) == 0
    statefun.start("--application", unique)

    found = read_whole(broker, f"{unique}-letters", 6)
    assert [(key, value) for key, value, _ in found] == sent + [(b"Grace", b"")]
    kept = [("trace", b"\xff\x00"), ("trace", b""), ("other", b"")]
    for i, (_, _, letter_headers) in enumerate(found):
        theirs = [pair for pair in letter_headers if not pair[0].startswith("statefun-dead-letter-")]
        ours = {name.removeprefix("statefun-dead-letter-"): value.decode()
                for name, value in letter_headers if name.startswith("statefun-dead-letter-")}
        assert theirs == (kept if i < 5 else [])
        assert letter_headers[:len(theirs)] == theirs
        assert ours["origin"] == f"topic {unique} partition 0 offset {i}" and ours["ingress"] == "example/in"
        assert ours["kind"] == ("invalid-record" if i < 4 else "unserved")
        assert ours["target"] == ("example/echo, nobody/serves" if i < 4 else f"nobody/serves/{['Ada', 'Grace'][i - 4]}")
        assert ours["type"] == "example/visit" and ours["time"] > "2020" and "egress" not in ours
        assert ("no key" if i in (0, 3) else "no value" if i < 3 else "no endpoint serves") in ours["cause"]
    listed = json.loads(ask(statefun.listeners["admin"], "GET", "/deadletters")[2])["letters"]
    assert [letter["id"] for letter in listed] == [dict(pairs)["statefun-dead-letter-id"].decode()
                                                   for _, _, pairs in found]
    assert [header["key"] for header in listed[0]["headers"]] == ["trace", "trace", "other"]
    assert listed[0]["headers"][0]["value"] == {"base64": "/wA="}
