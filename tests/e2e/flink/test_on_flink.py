"""One application (README.md) under Apache Flink Stateful Functions as released, and under ours: the same module.yaml,
the same input, and the same results. SEED gives the same input again."""
import os
import time
from pathlib import Path

import pytest
from flink_process import Flink
from orders import KEYS, Model, Orders, differences, streams_of
from statefun_process import PROGRAM

HERE = Path(__file__).resolve().parent
ORDERS = int(os.environ.get("ORDERS", "400"))
CRASHES = int(os.environ.get("CRASHES", "1"))

# The programs that serve the application at --port, and how they are run.
ENDPOINTS = {
    "python": (HERE / "functions.py", {}),
    "c": (PROGRAM.parent / "tests/e2e/c/orders", {"run_by": ()}),
}
# Embedded modules of the same source as an endpoint: a third way to run it.
EMBEDDED = {"c": PROGRAM.parent / "tests/modules/orders.so"}

ENDPOINT = """
kind: io.statefun.endpoints.v2/http
spec:
  functions: both/*
  urlPathTemplate: {url}
---
"""
MODULE = """
kind: io.statefun.kafka.v1/ingress
spec:
  id: both/in
  address: {address}
  consumerGroupId: {name}
  startupPosition:
    type: earliest
  topics:
    - topic: {name}-in
      valueType: both/text
      targets:
        - both/desk
---
kind: io.statefun.kafka.v1/egress
spec:
  id: both/out
  address: {address}
  deliverySemantic:
    type: exactly-once
    transactionTimeout: 1min
"""


class Play:
    """A runtime and an endpoint of their own (None: with its functions embedded), topics, and the records that come
    out. What else it is started with are flags."""

    def __init__(self, broker, runtime, function, name, *flags):
        self.broker, self.runtime, self.function, self.name, self.flags = broker, runtime, function, name, flags
        self.reader, self.records = broker.reader(f"{name}-out"), []

    def start(self):
        if isinstance(self.runtime, Flink):
            self.runtime.start()
        else:
            self.runtime.start("--application", self.name, *self.flags)

    def crash(self):
        """Both at once; something has come out before."""
        self.read_up_to(1)
        self.runtime.kill()
        if self.function:
            self.function.kill()
            self.function.start()
        self.start()

    def feed(self, orders):
        self.broker.produce(f"{self.name}-in", orders)

    def read_up_to(self, count):
        self.records += self.reader.read(count - len(self.records), seconds=120 + ORDERS // 100)

    def end(self):
        self.records += self.reader.read_rest(1.5)  # some of Flink's checkpoints
        self.reader.close()
        assert self.runtime.stop() == 0


@pytest.fixture
def make_play(broker, unique, make_function, make_statefun, tmp_path):
    flinks = []

    def make(runtime, endpoint):
        name = f"{unique}-{runtime}"
        for topic in ("in", "out"):
            broker.make_topic(f"{name}-{topic}", 3)
        module = MODULE.format(address=broker.address, name=name)
        if runtime == "embedded":
            config = tmp_path / "config.yaml"
            config.write_text(f"statefun.module.global-config.topic: {name}-out\n")
            return Play(broker, make_statefun(module, name), None, name, "--config", config, "-m", EMBEDDED[endpoint])
        program, how = ENDPOINTS[endpoint]
        function = make_function(program, "--topic", f"{name}-out", **how)
        module = ENDPOINT.format(url=function.url) + module
        if runtime == "flink":
            flinks.append(Flink(tmp_path / name, module))
        return Play(broker, flinks[-1] if runtime == "flink" else make_statefun(module, name), function, name)
    yield make
    for flink in flinks:
        flink.end()


@pytest.mark.parametrize("crashes", (0, CRASHES))
@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_both_runtimes_do_the_same_and_what_the_model_says(make_play, endpoint, crashes):
    seed = int(os.environ.get("SEED", time.time_ns() % 1_000_000))
    print(f"SEED={seed}")
    orders, reports = Orders(seed, ORDERS).orders, [(key, "report") for key in KEYS]
    before_reports, expected = Model(), Model()
    before_reports.take_all(orders)
    expected.take_all(orders + reports)
    share = ORDERS // (crashes + 1)
    partitions = {}
    for runtime in ("flink", "ours", "embedded") if endpoint in EMBEDDED else ("flink", "ours"):
        times = [time.monotonic()]
        play = make_play(runtime, endpoint)
        play.start()
        times.append(time.monotonic())
        for crash in range(crashes):
            play.feed(orders[crash * share:(crash + 1) * share])
            play.crash()
        play.feed(orders[crashes * share:])
        play.read_up_to(before_reports.count)
        times.append(time.monotonic())
        time.sleep(1.5)  # what lives for a second is gone
        play.feed(reports)
        play.read_up_to(expected.count)
        play.end()
        print(f"{runtime}: started in {times[1] - times[0]:.1f} s, {before_reports.count} records in "
              f"{times[2] - times[1]:.1f} s")
        assert differences(expected.streams, streams_of(play.records)) == [], runtime
        partitions[runtime] = play.reader.partitions_of
    assert all(those == partitions["flink"] for those in partitions.values())
