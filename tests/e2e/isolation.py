"""Twenty topics, each with a function of its own; six of them have troubles, each another one. For
test_isolation.py, which accounts for every record, and bench/bench.py, which measures the others meanwhile."""
import time
from pathlib import Path

from function_process import Function
from statefun_process import ask

STREAMS = 20
NULL_KEY, TOMBSTONE, UNDECODABLE, ANSWERS_400, HANGS, DOWN = range(6)
HEALTHY = range(6, STREAMS)
NAMES = 5

MODULE = """
kind: io.statefun.endpoints.v2/http
spec:
  functions: iso/*
  urlPathTemplate: {url}
  transport: {{type: io.statefun.transports.v1/async, call: 2s}}
  failures: {{attempts: 2, then: deadLetter}}
---
kind: io.statefun.endpoints.v2/http
spec:
  functions: iso/f3
  urlPathTemplate: {url}
  failures: {{attempts: 2, then: park}}
---
kind: io.statefun.endpoints.v2/http
spec:
  functions: iso/f5
  urlPathTemplate: {down}
---
kind: io.statefun.kafka.v1/egress
spec:
  id: iso/out
  address: {address}
  deliverySemantic: {{type: exactly-once, transactionTimeout: 1min}}
---
kind: io.statefun.kafka.v1/ingress
spec:
  id: iso/in
  address: {address}
  consumerGroupId: {name}
  startupPosition: {{type: earliest}}
  topics:
"""
TOPIC = "    - {{topic: {name}-{stream}, valueType: iso/value, targets: [iso/f{stream}]}}\n"


class Isolation:
    def __init__(self, directory, broker, name):
        self.broker, self.name = broker, name
        self.topics = [f"{name}-{stream}" for stream in range(STREAMS)]
        self.out = f"{name}-out"
        for topic in (*self.topics, self.out):
            broker.make_topic(topic)
        script = Path(__file__).parent / "streams.py"
        (Path(directory) / "down").mkdir()
        self.function = Function(directory, script, "--topic", self.out)
        self.down = Function(Path(directory) / "down", script, "--topic", self.out)
        self.function.start()
        self.module = MODULE.format(url=self.function.url, down=self.down.url, address=broker.address, name=name)
        self.module += "".join(TOPIC.format(name=name, stream=stream) for stream in range(STREAMS))

    def end(self):
        self.function.kill()
        self.down.kill()

    def mend(self):
        """The endpoint that was down comes up, and the function takes what it would not."""
        self.down.start()
        for function in (self.function, self.down):
            assert ask(f"127.0.0.1:{function.port}", "POST", "/behave")[0] == 200

    def record(self, stream, number, has_troubles):
        """Key and value; the value ends with stream, number and time."""
        key, value = f"name-{number % NAMES}", f"{stream} {number} {time.monotonic()}".encode()
        if not has_troubles or number % 20 != 7:
            return key, value
        return {NULL_KEY: (None, value), TOMBSTONE: (key, None), UNDECODABLE: (key, b"\xff\xfe " + value),
                ANSWERS_400: (key, b"poison-400 " + value),
                HANGS: (key, b"poison-hang " + value if number % 200 == 7 else value)}.get(stream, (key, value))

    def send(self, first, count, rate, has_troubles, meanwhile=lambda: None):
        """So many records to each stream, numbered from `first`, at `rate` a second for each; calls `meanwhile` when
        there is time."""
        producer = self.broker.producer(**{"linger.ms": 0})
        begun = time.monotonic()
        for n in range(count):
            # One after the other in their turn, not all at once.
            for stream in range(STREAMS):
                due = begun + (n + stream / STREAMS) / rate
                while time.monotonic() < due:
                    meanwhile()
                    time.sleep(0.0005)
                key, value = self.record(stream, first + n, has_troubles)
                producer.produce(self.topics[stream], key=key, value=value)
                producer.poll(0)
        assert producer.flush(30) == 0


def origin_of(value):
    """Stream, number and time, out of the text or bytes that came out."""
    text = value.decode("latin-1") if isinstance(value, bytes) else value
    stream, number, sent = text.split(" ")[-3:]
    return int(stream), int(number), float(sent)
