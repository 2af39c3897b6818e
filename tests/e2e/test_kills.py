"""kill -9 at random moments under load, Kafka in and out: afterwards each count is there once, in order."""
import os
import random
import threading
import time

from function_process import GREETER
from statefun_process import Background
from test_greeter_kafka import MODULE, counts_by_name

KILLS = int(os.environ.get("KILLS", "50"))
NAMES = 40


def test_no_kill_makes_a_count_appear_twice_or_not_at_all(slow_broker, unique, make_function, make_statefun):
    broker = slow_broker
    names, greetings = f"{unique}-names", f"{unique}-greetings"
    broker.make_topic(names, 4)
    broker.make_topic(greetings, 4)
    greeter = make_function(GREETER, "--egress", "kafka", "--topic", greetings)
    statefun = make_statefun(MODULE.format(url=greeter.url, address=broker.address, group=unique, names=names))
    seed = int(os.environ.get("SEED", time.time_ns() % 1_000_000))
    print(f"SEED={seed}")
    generator = random.Random(seed)

    ending, produced, busy_lives = threading.Event(), 0, 0

    def load():
        nonlocal produced
        producer, source = broker.producer(), random.Random(seed + 1)
        while not ending.is_set():
            # Where kills take their time, so many are more than enough to be busy with, and to be read afterwards.
            for _ in range(20 if produced < 600 * KILLS else 0):
                producer.produce(names, key=f"name-{source.randrange(NAMES)}", value="hello")
                produced += 1
            producer.poll(0)
            ending.wait(0.02)
        assert producer.flush(30) == 0

    def delivered():
        return statefun.metric("statefun_egress_records_total") > 0

    loader = Background(load)
    try:
        for life in range(KILLS):
            # Some are killed while they recover, some long after; every third not before it has delivered something.
            statefun.start("--application", unique, "--workers", str(generator.choice((1, 2, 3))))
            time.sleep(generator.choice((0, 0.1, 0.5, 1.0)) * generator.random())
            deadline = time.monotonic() + 30
            while life % 3 == 0 and not delivered() and time.monotonic() < deadline:
                time.sleep(0.05)
            busy_lives += delivered()
            statefun.kill()
    finally:
        ending.set()
        loader.finish()
    print(f"{produced} records; {busy_lives} of {KILLS} were killed after they had delivered some")
    assert busy_lives > KILLS / 4
    statefun.start("--application", unique)
    counts = counts_by_name(broker.read(greetings, produced, seconds=120))
    assert sum(len(of_name) for of_name in counts.values()) == produced
    for name, of_name in counts.items():
        assert of_name == list(range(1, len(of_name) + 1)), name
