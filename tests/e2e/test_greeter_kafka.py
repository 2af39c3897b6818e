"""The greeter on a real Kafka broker: names in, greetings out, each exactly once and in order."""
import re

import pytest
from function_process import GREETER
from statefun_process import wait_for

MODULE = """
kind: io.statefun.endpoints.v2/http
spec:
  functions: example/*
  urlPathTemplate: {url}
---
kind: io.statefun.kafka.v1/ingress
spec:
  id: example/names
  address: {address}
  consumerGroupId: {group}
  startupPosition:
    type: earliest
  topics:
    - topic: {names}
      valueType: example/visit
      targets:
        - example/person
---
kind: io.statefun.kafka.v1/egress
spec:
  id: example/greetings
  address: {address}
  deliverySemantic:
    type: exactly-once
    transactionTimeout: 1min
"""


@pytest.fixture
def topics(broker, unique):
    """Names of topics that are this test's own."""
    names, greetings = f"{unique}-names", f"{unique}-greetings"
    broker.make_topic(names, 4)
    broker.make_topic(greetings, 4)
    return names, greetings


@pytest.fixture
def greeter(make_function, topics):
    return make_function(GREETER, "--egress", "kafka", "--topic", topics[1])


@pytest.fixture
def statefun(broker, unique, topics, greeter, make_statefun):
    module = MODULE.format(url=greeter.url, address=broker.address, group=unique, names=topics[0])
    return make_statefun(module).start("--application", unique)


def counts_by_name(records):
    counts = {}
    for name, greeting in records:
        count = re.search(r"seen you (\d+) times", greeting)
        counts.setdefault(name, []).append(int(count.group(1)) if count else 1)
    return counts


def test_each_name_is_greeted_with_its_count(broker, topics, statefun):
    broker.produce(topics[0], [(name, "hello") for name in ("Ada", "Grace", "Ada", "Ada")])
    assert counts_by_name(broker.read(topics[1], 4)) == {"Ada": [1, 2, 3], "Grace": [1]}


def test_forwarded_headers_do_not_disturb_the_official_sdk(broker, unique, topics, greeter, make_statefun):
    module = MODULE.format(url=greeter.url, address=broker.address, group=unique, names=topics[0])
    make_statefun(module.replace("  startupPosition:", "  forwardHeaders: true\n  startupPosition:")).start(
        "--application", unique)
    broker.produce(topics[0], [("Ada", "hello")] * 2, headers=[("trace", b"\xff\x00"), ("null", None)])
    assert counts_by_name(broker.read(topics[1], 2)) == {"Ada": [1, 2]}


def test_after_a_clean_stop_nothing_is_read_or_written_twice(broker, topics, statefun, unique):
    for round_number in (1, 2, 3):
        broker.produce(topics[0], [(f"name-{i}", "hello") for i in range(50)])
        broker.read(topics[1], 50 * round_number)
        assert statefun.stop() == 0
        statefun.start("--application", unique)
    assert counts_by_name(broker.read(topics[1], 150)) == {f"name-{i}": [1, 2, 3] for i in range(50)}


def test_the_consumer_group_is_told_how_far_reading_is(broker, topics, statefun, unique):
    broker.produce(topics[0], [("Ada", "hello")] * 10, partition=2)
    broker.read(topics[1], 10)
    wait_for(lambda: broker.committed(unique, topics[0], 2) == 10, what="offset 10 in the group")


def test_records_that_cannot_become_messages_are_set_aside(broker, topics, statefun):
    broker.produce(topics[0], [("Ada", "hello"), (None, "no key"), ("no value", None),
                               (b"not utf-8 \xff\xfe", "hello"), ("Ada", "hello")], partition=0)
    counts = counts_by_name(broker.read(topics[1], 3))
    assert counts == {"Ada": [1, 2], "not utf-8 \ufffd\ufffd": [1]}
    assert statefun.metric("statefun_dead_letters") == 2
    assert "set aside" in statefun.log() and f"{topics[0]}" in statefun.log()


def test_a_target_that_nobody_serves_costs_only_its_own_records(broker, unique, make_function, make_statefun):
    names, strangers, greetings = (f"{unique}-{topic}" for topic in ("names", "strangers", "greetings"))
    for topic in (names, strangers, greetings):
        broker.make_topic(topic)
    greeter = make_function(GREETER, "--egress", "kafka", "--topic", greetings)
    module = MODULE.format(url=greeter.url, address=broker.address, group=unique, names=names)
    module = module.replace("      targets:\n        - example/person\n", f"""\
      targets:
        - example/person
    - topic: {strangers}
      valueType: example/visit
      targets:
        - nobody/here
""")
    statefun = make_statefun(module).start("--application", unique)
    broker.produce(strangers, [("Ada", "hello")] * 5)
    broker.produce(names, [("Ada", "hello")] * 5)
    assert counts_by_name(broker.read(greetings, 5)) == {"Ada": [1, 2, 3, 4, 5]}
    wait_for(lambda: statefun.metric("statefun_dead_letters") == 5, what="five dead letters")
    statefun.kill()
    statefun.start("--application", unique)
    assert statefun.metric("statefun_dead_letters") == 5


def test_a_second_process_with_the_same_name_fences_the_first(broker, topics, statefun, greeter, unique,
                                                             make_statefun):
    broker.produce(topics[0], [("Ada", "hello")])
    broker.read(topics[1], 1)
    module = MODULE.format(url=greeter.url, address=broker.address, group=unique, names=topics[0])
    other = make_statefun(module, "other").start("--application", unique)
    wait_for(lambda: other.metric("statefun_functions_in_total", name="person") >= 1)
    broker.produce(topics[0], [("Ada", "hello")])
    wait_for(lambda: statefun.process.poll() is not None, 60, "the end of the one that was fenced")
    assert statefun.process.poll() == 1
    assert "cannot go on" in statefun.log()
    statefun.process = None


def test_check_connect_says_whether_everything_answers(broker, topics, greeter, unique, tmp_path):
    import subprocess
    from statefun_process import PROGRAM

    def check(module):
        file = tmp_path / "module.yaml"
        file.write_text(module)
        return subprocess.run([PROGRAM, "check", "--connect", "-m", file], capture_output=True, text=True,
                              timeout=60)
    good = MODULE.format(url=greeter.url, address=broker.address, group=unique, names=topics[0])
    result = check(good)
    assert result.returncode == 0, result.stderr
    result = check(good.replace(broker.address, "127.0.0.1:1"))  # each that is away takes ten seconds
    assert result.returncode == 1
    for what in ("ingress example/names", "egress example/greetings"):
        assert re.search(f"error: {what}: .*127.0.0.1:1", result.stderr), result.stderr
