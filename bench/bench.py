"""bench.py - what bench/run measures. Each measurement prints one table; nothing is asserted but that every
record came out."""
import argparse
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/e2e"))

from function_process import free_port  # noqa: E402
from isolation import HEALTHY, STREAMS, Isolation, origin_of  # noqa: E402
from kafka_broker import Broker  # noqa: E402
import statefun_process  # noqa: E402

MODULE = """
kind: io.statefun.endpoints.v2/http
spec:
  functions: bench/counter
  urlPathTemplate: http://127.0.0.1:{port}/statefun
---
kind: io.statefun.kafka.v1/ingress
spec:
  id: bench/in
  address: {address}
  consumerGroupId: bench
  startupPosition:
    type: earliest
  topics:
    - topic: {topic}
      valueType: bench/value
      targets:
        - bench/counter
---
kind: io.statefun.kafka.v1/egress
spec:
  id: bench/out
  address: {address}
  deliverySemantic:
    type: exactly-once
    transactionTimeout: 1min
"""
TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory_mb(pid, what="VmHWM"):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(what):
            return int(line.split()[1]) / 1024
    raise KeyError(what)


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


class Bench:
    """A broker, a function, and a runtime of a measurement's own."""

    def __init__(self, options, directory, name, partitions=4):
        self.options = options
        self.directory = Path(directory) / name
        self.directory.mkdir()
        self.broker = Broker(self.directory / "broker").start()
        self.broker_pid = int((self.directory / "broker/pid").read_text().split()[0])
        self.port = free_port()
        for topic in ("in", "out"):
            self.broker.make_topic(topic, partitions)
        self.function = subprocess.Popen([options.function, "-listen", f"127.0.0.1:{self.port}"],
                                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        statefun_process.PROGRAM = Path(options.program).absolute()
        self.statefun = statefun_process.Statefun(self.directory, MODULE.format(
            port=self.port, address=self.broker.address, topic="in"))

    def start(self):
        self.statefun.start(*self.options.flags)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.statefun.end()
        self.function.kill()
        self.function.wait()
        self.broker.kill()

    def preload(self, count, key_of):
        producer = self.broker.producer(**{"linger.ms": 20, "queue.buffering.max.messages": 1_000_000})
        for number in range(count):
            while True:
                try:
                    producer.produce("in", key=key_of(number), value="x" * 20)
                    break
                except BufferError:
                    producer.poll(0.1)
        assert producer.flush(120) == 0

    def used(self):
        return {"runtime": cpu_seconds(self.statefun.process.pid), "function": cpu_seconds(self.function.pid),
                "broker": cpu_seconds(self.broker_pid)}

    def metric(self, name):
        return self.statefun.metric(name)


def throughput(options, directory, name, count, key_of):
    """A topic that is full before the start, until the last record is delivered."""
    with Bench(options, directory, name) as bench:
        bench.preload(count, key_of)
        time.sleep(1)  # the broker's own work after the load
        broker_before, function_before = cpu_seconds(bench.broker_pid), cpu_seconds(bench.function.pid)
        started = time.monotonic()
        bench.start()
        ready = time.monotonic()
        samples = []
        while True:
            delivered = bench.metric("statefun_egress_records_total")
            samples.append((time.monotonic(), delivered))
            if delivered >= count:
                break
            assert time.monotonic() - started < 600, f"{delivered} of {count} after 600 s"
            time.sleep(0.1)
        ended = time.monotonic()
        used = bench.used()
        used["broker"] -= broker_before
        used["function"] -= function_before
        requests = bench.metric("statefun_endpoint_requests_total")
        invoked = bench.metric("statefun_functions_invoked_messages_total")
        epochs = bench.metric("statefun_epochs_total")
        log_bytes = bench.metric("statefun_store_log_bytes_total")
        view_changes = bench.metric("statefun_store_view_changes_total")
        rates = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in zip(samples, samples[1:]) if b[1] > a[1]]
        print(f"\n{name}: {count} records, Kafka to Kafka, exactly once")
        print(f"  throughput          {count / (ended - started):10.0f} messages/s, start included"
              f" (ready after {1000 * (ready - started):.0f} ms)")
        print(f"  rate, each 0.1 s    {statistics.median(rates):10.0f} median, "
              f"{percentile(rates, 0.1):.0f} to {percentile(rates, 0.9):.0f} (10th to 90th percentile)")
        for process, seconds in used.items():
            print(f"  CPU of the {process:9s}{1e6 * seconds / count:9.1f} us a message")
        print(f"  messages a request  {invoked / requests:10.1f}")
        print(f"  records an epoch    {count / epochs:10.0f}")
        print(f"  log                 {log_bytes / count:10.0f} bytes a message")
        print(f"  changes to the view {view_changes / count:10.2f} a message")
        print(f"  memory              {memory_mb(bench.statefun.process.pid):10.0f} MB at most, "
              f"{memory_mb(bench.statefun.process.pid, 'VmRSS'):.0f} MB at the end")
        reader = bench.broker.reader("out")
        records = reader.read(count, 300)
        more = reader.read_rest()
        reader.close()
        assert len(records) + len(more) == count, f"{len(records) + len(more)} records came out of {count}"


def distinct(options, directory):
    throughput(options, directory, "distinct keys", 300_000 // options.divisor, lambda number: f"key-{number:08d}")


def hot(options, directory):
    throughput(options, directory, "100 hot keys", 1_500_000 // options.divisor, lambda number: f"key-{number % 100}")


def latency(options, directory):
    """200 messages a second, each with the time at which it was sent; read back with read_committed."""
    seconds, rate = 60 // (2 if options.divisor > 1 else 1), 200
    with Bench(options, directory, "latency") as bench:
        bench.start()
        producer = bench.broker.producer(**{"linger.ms": 0})
        reader = bench.broker.reader("out")
        generator = random.Random(1)
        warm_up = rate * 5
        latencies, sent = [], 0
        cpu_before = None
        begun = time.monotonic()
        total = rate * seconds + warm_up
        while len(latencies) < total:
            now = time.monotonic()
            while sent < total and begun + sent / rate <= now:
                producer.produce("in", key=f"key-{generator.randrange(10_000)}", value=repr(time.monotonic()))
                sent += 1
            producer.poll(0)
            if sent >= warm_up and cpu_before is None:
                cpu_before, measured_from = bench.used(), time.monotonic()
            record = reader.poll(0.001)
            if record is not None:
                latencies.append(1000 * (time.monotonic() - float(record[1].split()[1])))
            assert now - begun < seconds + 60
        used = bench.used()
        measured = latencies[warm_up:]
        print(f"\nlatency: {rate} messages/s for {seconds} s, produced to read with read_committed, exactly once")
        for share in (0.5, 0.9, 0.99, 0.999):
            print(f"  p{100 * share:<18g}{percentile(measured, share):10.1f} ms")
        print(f"  at most             {max(measured):10.1f} ms")
        for process in used:
            spent = (used[process] - cpu_before[process]) / (time.monotonic() - measured_from)
            print(f"  CPU of the {process:9s}{100 * spent:9.1f} % of a processor")
        print(f"  memory              {memory_mb(bench.statefun.process.pid):10.0f} MB at most")
        reader.close()


def start(options, directory):
    """From exec to ready: an empty data directory, then one with state."""
    with Bench(options, directory, "start") as bench:
        def once():
            begun = time.monotonic()
            bench.start()
            return 1000 * (time.monotonic() - begun)
        fresh = []
        for number in range(10):
            bench.statefun.data = bench.directory / f"data-{number}"
            fresh.append(once())
            idle = memory_mb(bench.statefun.process.pid)
            bench.statefun.kill()
        count = 100_000 // options.divisor
        bench.preload(count, lambda number: f"key-{number}")
        bench.statefun.data = bench.directory / "data-full"
        bench.start()
        while bench.metric("statefun_egress_records_total") < count:
            time.sleep(0.1)
        stopped = time.monotonic()
        assert bench.statefun.stop(60) == 0
        stopped = 1000 * (time.monotonic() - stopped)
        full, killed = [], []
        for _ in range(5):
            full.append(once())
            bench.statefun.stop(60)
        for _ in range(5):
            killed.append(once())
            bench.statefun.kill()
        print("\nstart: from exec to ready (the runtime's file is looked for every 10 ms)")
        for name, times in (("empty directory", fresh), (f"{count} instances", full), ("... after kill -9", killed)):
            print(f"  {name:20s}{statistics.median(times):9.0f} ms median, {min(times):.0f} to {max(times):.0f}")
        print(f"  memory, idle        {idle:10.0f} MB")
        print(f"  clean stop          {stopped:10.0f} ms")


def recovery(options, directory):
    """kill -9 under load, start at once: when does the first record come out that was not there before?"""
    with Bench(options, directory, "recovery") as bench:
        bench.start()
        producer = bench.broker.producer(**{"linger.ms": 5})
        reader = bench.broker.reader("out")
        generator = random.Random(2)
        times, sent, read = [], 0, 0

        def load():
            nonlocal sent, read
            for _ in range(20):
                producer.produce("in", key=f"key-{generator.randrange(10_000)}", value="x")
                sent += 1
            producer.poll(0)
            while reader.poll(0.002) is not None:
                read += 1
        for _ in range(5 if options.divisor > 1 else 10):
            until = time.monotonic() + 3
            while time.monotonic() < until:
                load()
            bench.statefun.kill()
            read += len(reader.read_rest(0.3))
            begun, before = time.monotonic(), read
            bench.start()
            while read == before:
                load()
                assert time.monotonic() - begun < 60
            times.append(1000 * (time.monotonic() - begun))
        assert producer.flush(30) == 0
        read += len(reader.read(sent - read, 120)) + len(reader.read_rest())
        assert read == sent, f"{read} records came out of {sent}"
        print("\nrecovery: kill -9 under load (about 5,000 messages/s), then start; until new output is read")
        print(f"  output flows after  {statistics.median(times):10.0f} ms median, {min(times):.0f} to {max(times):.0f}")
        reader.close()


def healthy_streams(bench, reader, first, seconds, rate, has_troubles):
    """Latencies of the healthy streams, by stream, and how long it took until all of theirs was read."""
    latencies = {stream: [] for stream in HEALTHY}

    def read():
        record = reader.poll(0)
        if record is None:
            return
        stream, number, sent = origin_of(record[1])
        if stream in latencies and first <= number < first + seconds * rate:
            latencies[stream].append(1000 * (time.monotonic() - sent))
    begun = time.monotonic()
    bench.send(first, seconds * rate, rate, has_troubles, meanwhile=read)
    while any(len(of_stream) < seconds * rate for of_stream in latencies.values()):
        read()
        assert time.monotonic() - begun < seconds + 60, "a healthy stream does not go on"
    return latencies, time.monotonic() - begun


def isolation(options, directory):
    """Twenty streams at a steady rate; then six of them have troubles: what do the others notice?"""
    seconds, rate = 60 // (4 if options.divisor > 1 else 1), 10
    home = Path(directory) / "isolation"
    home.mkdir()
    broker = Broker(home / "broker").start()
    bench = Isolation(home, broker, "isolation")
    statefun_process.PROGRAM = Path(options.program).absolute()
    statefun = statefun_process.Statefun(home, bench.module)
    try:
        bench.down.start()
        statefun.start(*options.flags)
        reader = broker.reader(bench.out)
        healthy_streams(bench, reader, 0, 5, rate, False)  # warming up
        results = {"no troubles": healthy_streams(bench, reader, 5 * rate, seconds, rate, False)}
        bench.down.kill()
        results["six streams have"] = healthy_streams(bench, reader, (5 + seconds) * rate, seconds, rate, True)
        print(f"\nisolation: {STREAMS} streams of {rate} messages/s each, {seconds} s, Kafka to Kafka, exactly once; the "
              f"{len(HEALTHY)} healthy ones")
        print(f"  {'':18s}{'messages/s':>12s}{'p50':>10s}{'p99':>10s}{'at most':>10s}{'worst p99 of a stream':>24s}")
        for name, (latencies, took) in results.items():
            merged = [latency for of_stream in latencies.values() for latency in of_stream]
            worst = max(percentile(of_stream, 0.99) for of_stream in latencies.values())
            print(f"  {name:18s}{len(merged) / took:12.1f}{percentile(merged, 0.5):7.0f} ms{percentile(merged, 0.99):7.0f} ms"
                  f"{max(merged):7.0f} ms{worst:21.0f} ms")
        print(f"  set aside: {statefun.metric('statefun_dead_letters'):.0f}; parked: "
              f"{statefun.metric('statefun_parked_addresses'):.0f}; failures: "
              f"{statefun.metric('statefun_functions_remote_invocation_failures_total'):.0f}")
        reader.close()
    finally:
        statefun.end()
        bench.end()
        broker.kill()


MEASUREMENTS = {"distinct": distinct, "hot": hot, "latency": latency, "start": start, "recovery": recovery,
                "isolation": isolation}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True)
    parser.add_argument("--function", required=True)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--flag", action="append", default=[], dest="flags", help="passed to statefun run")
    parser.add_argument("measurement", nargs="*")
    options = parser.parse_args()
    options.divisor = 10 if options.quick else 1
    unknown = set(options.measurement) - set(MEASUREMENTS)
    if unknown:
        parser.error(f"there is no measurement {', '.join(unknown)}; there are {', '.join(MEASUREMENTS)}")
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    with tempfile.TemporaryDirectory(prefix="statefun-bench-") as directory:
        for name in options.measurement or MEASUREMENTS:
            MEASUREMENTS[name](options, directory)


if __name__ == "__main__":
    main()
