"""invalidRecordHandling of a Kafka ingress: what becomes of records without key or value, each ingress for itself."""
from pathlib import Path

import pytest
from statefun_process import MODULE, wait_for

INGRESS = """
---
kind: io.statefun.kafka.v1/ingress
spec:
  id: example/{name}
  address: {address}
  consumerGroupId: {topic}
  startupPosition: {{type: earliest}}
  topics: [{{topic: {topic}, valueType: example/visit, targets: [example/echo]}}]
"""
POLICIES = {
    "kept": "",
    "skipped": "  invalidRecordHandling: skip\n",
    "failed": "  invalidRecordHandling: fail\n",
    "forwarded": "  invalidRecordHandling: forward\n  invalidRecordTarget: example/invalid\n",
}
INVALID = [(None, "no key"), ("no value", None)]


@pytest.fixture
def statefun(broker, unique, make_function, make_statefun):
    echo = make_function(Path(__file__).parent / "echo.py")
    module = MODULE.format(url=echo.url)
    for name, policy in POLICIES.items():
        broker.make_topic(f"{unique}-{name}")
        module += INGRESS.format(name=name, address=broker.address, topic=f"{unique}-{name}") + policy
    return make_statefun(module).start("--application", unique)


def test_each_ingress_does_as_it_is_told_and_no_other_notices(broker, unique, statefun):
    for name in POLICIES:
        broker.produce(f"{unique}-{name}", [("Ada", name), *INVALID, ("Grace", name)], partition=0)
    passed = [f"echo {who} example/visit {name}" for who in ("Ada", "Grace") for name in POLICIES]
    passed.remove("echo Grace example/visit failed")
    forwarded = [f"invalid {unique}-forwarded/0 example/visit no key", "invalid no value example/visit nothing"]
    assert sorted(statefun.fetch_all("out", 9)) == sorted(passed + forwarded)

    assert statefun.metric("statefun_kafka_ingress_rejected_total", ingress="example/kept") == 2
    assert statefun.metric("statefun_kafka_ingress_skipped_total", ingress="example/skipped") == 2
    assert statefun.metric("statefun_kafka_ingress_forwarded_total", ingress="example/forwarded") == 2
    assert statefun.metric("statefun_kafka_ingress_stopped", ingress="example/failed") == 1
    assert statefun.metric("statefun_kafka_ingress_stopped") == 1
    wait_for(lambda: len(statefun.letters()) == 2, what="two dead letters")
    no_key, no_value = statefun.letters()
    assert no_key["ingress"] == no_value["ingress"] == "example/kept"
    assert no_key["value"]["text"] == "no key" and "no key" in no_key["cause"] and no_key["type"] == "example/visit"
    assert no_value["key"]["text"] == "no value" and no_value["target"] == "example/echo"

    status, _, body = statefun.get("/readyz")
    assert status == 200
    assert f"ingress example/failed has stopped: topic {unique}-failed partition 0 offset 1" in body.decode()
    assert statefun.log().count("an ingress stops at an invalid record") == 1

    # Nobody else notices, and it stays where it is: also after a restart, as the record is still there.
    for name in POLICIES:
        broker.produce(f"{unique}-{name}", [("Alan", name)], partition=0)
    later = sorted(f"echo Alan example/visit {name}" for name in POLICIES if name != "failed")
    assert sorted(statefun.fetch_all("out", 3)) == later
    assert statefun.stop() == 0
    statefun.start("--application", unique)
    wait_for(lambda: "example/failed has stopped" in statefun.get("/readyz")[2].decode(), what="the stop")
    assert statefun.fetch("out") is None

    # Told otherwise, it goes on where it stopped.
    assert statefun.stop() == 0
    statefun.module.write_text(statefun.module.read_text().replace("Handling: fail", "Handling: deadLetter"))
    statefun.start("--application", unique)
    assert sorted(statefun.fetch_all("out", 2)) == [f"echo {who} example/visit failed" for who in ("Alan", "Grace")]
    assert statefun.fetch("out") is None
    wait_for(lambda: len(statefun.letters()) == 4, what="four dead letters")
