"""`deadLetters` of a Kafka egress: what is set aside goes to a topic too, exactly once."""
import json
from pathlib import Path

import pytest
from statefun_process import wait_for

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
