"""What runs beside the runtime comes and goes under load: brokers, functions. Nothing is lost or doubled."""
import threading

import pytest
from function_process import GREETER
from statefun_process import Background, wait_for
from test_greeter_kafka import MODULE, counts_by_name

NAMES = 20


class Load:
    """A few hundred records a second, until it is stopped."""

    def __init__(self, broker, topic):
        self.produced = 0
        self.ending = threading.Event()
        # Idempotent: a broker that stops in the middle must not double what is sent again.
        self.producer = broker.producer(**{"enable.idempotence": True, "message.timeout.ms": 120_000})
        self.topic = topic
        self.thread = Background(self.run)

    def run(self):
        while not self.ending.is_set():
            for _ in range(5):
                self.producer.produce(self.topic, key=f"name-{self.produced % NAMES}", value="hello")
                self.produced += 1
            self.producer.poll(0)
            self.ending.wait(0.02)

    def stop(self):
        self.ending.set()
        self.thread.finish()
        assert self.producer.flush(60) == 0
        return self.produced


def application(broker, unique, make_function, make_statefun):
    names, greetings = f"{unique}-names", f"{unique}-greetings"
    broker.make_topic(names, 2)
    broker.make_topic(greetings, 2)
    greeter = make_function(GREETER, "--egress", "kafka", "--topic", greetings)
    module = MODULE.format(url=greeter.url, address=broker.address, group=unique, names=names)
    statefun = make_statefun(module).start("--application", unique)
    return names, greetings, greeter, statefun


def assert_each_count_once(broker, greetings, produced):
    counts = counts_by_name(broker.read(greetings, produced, seconds=90))
    assert sum(len(of_name) for of_name in counts.values()) == produced
    for of_name in counts.values():
        assert of_name == list(range(1, len(of_name) + 1))


@pytest.mark.parametrize("way", ["stop", "kill"])
def test_a_broker_may_go_away_and_come_back_under_load(own_broker, unique, make_function, make_statefun, way):
    names, greetings, _, statefun = application(own_broker, unique, make_function, make_statefun)
    load = Load(own_broker, names)
    for _ in range(3):
        before = statefun.metric("statefun_functions_in_total", name="person")
        wait_for(lambda: statefun.metric("statefun_functions_in_total", name="person") > before + 50, 60,
                 "progress")
        getattr(own_broker, way)()
        assert statefun.get("/healthz")[0] == 200
        own_broker.start()
    produced = load.stop()
    assert_each_count_once(own_broker, greetings, produced)
    assert statefun.stop() == 0


def test_a_runtime_that_starts_before_its_broker_waits_for_it(own_broker, unique, make_function, make_statefun):
    names, greetings, _, statefun = application(own_broker, unique, make_function, make_statefun)
    own_broker.produce(names, [("Ada", "hello")])
    own_broker.read(greetings, 1)
    statefun.kill()
    own_broker.stop()
    statefun.start("--application", unique)
    own_broker.start()
    own_broker.produce(names, [("Ada", "hello")])
    assert counts_by_name(own_broker.read(greetings, 2, seconds=60)) == {"Ada": [1, 2]}


def test_stopping_does_not_wait_for_a_broker_that_is_away(own_broker, unique, make_function, make_statefun):
    _, _, _, statefun = application(own_broker, unique, make_function, make_statefun)
    own_broker.kill()
    assert statefun.stop(seconds=30) == 0


def test_a_function_may_go_away_and_come_back_under_load(broker, unique, make_function, make_statefun):
    names, greetings, greeter, statefun = application(broker, unique, make_function, make_statefun)
    load = Load(broker, names)
    for _ in range(4):
        before = statefun.metric("statefun_functions_out_egress_total")
        wait_for(lambda: statefun.metric("statefun_functions_out_egress_total") > before + 50, 60, "progress")
        greeter.kill()
        failures = statefun.metric("statefun_functions_remote_invocation_failures_total")
        wait_for(lambda: statefun.metric("statefun_functions_remote_invocation_failures_total") > failures)
        greeter.start()
    produced = load.stop()
    assert_each_count_once(broker, greetings, produced)
