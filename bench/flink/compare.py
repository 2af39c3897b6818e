#!/usr/bin/env python3
"""The same functions embedded in Apache StateFun as released (on Flink, in one process) and in ours, in turn.

    bench/flink/compare.py --program PATH --module LIBRARY [OPTION]... [MEASUREMENT]...

Measurements (all, if none is named): ring random counted crossing crossing-64 update-10k update-10k-2 update-1m
update-1m-cold

Both run at once, warm, and one of them is stopped (SIGSTOP) while the other has its spell of time.
"""
import argparse
import os
import signal
import struct
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / folder) for folder in ("tests/e2e/flink", "tests/e2e", "bench/embedded", "bench")]

from bench import TICKS, cpu_seconds, memory_mb  # noqa: E402
from flink_process import CACHE, Flink  # noqa: E402
from measure import Embedded, median_and_spread, spell  # noqa: E402
from statefun_process import wait_for  # noqa: E402

SPELLS = 5
SERIALIZERS = {"protobuf": "WITH_PROTOBUF_PAYLOADS", "object": "WITH_KRYO_PAYLOADS", "bytes": "WITH_RAW_PAYLOADS"}
HEAP = ["-Xms2g", "-Xmx2g"]
# As in StateFun's image.
ROCKSDB = ("state.backend=rocksdb", "state.backend.incremental=true",
           "state.backend.rocksdb.memory.partitioned-index-filters=true",
           "state.backend.rocksdb.checkpoint.transfer.thread.num=8", "state.backend.rocksdb.thread.num=4",
           "taskmanager.memory.managed.size=1372m")


class Measurement(NamedTuple):
    what: str
    function: str
    workers: int = 1
    tokens: int = 64
    keys: int = 0
    theirs: tuple = ()  # Flink's settings
    ours: tuple = ()  # flags


MEASUREMENTS = {
    "ring": Measurement("a hop, to the next address", "ring"),
    "random": Measurement("a hop, to a random address", "random"),
    "counted": Measurement("a hop that counts in a state", "counted"),
    "crossing": Measurement("a hop, half of them to the other worker, 8192 tokens", "random", workers=2, tokens=8192),
    "crossing-64": Measurement("a hop, half of them to the other worker, 64 tokens", "random", workers=2,
                               theirs=("execution.buffer-timeout=1ms",)),
    "update-10k": Measurement("a record that counts in a state, 10,000 keys", "update", keys=10_000),
    "update-10k-2": Measurement("... two workers", "update", workers=2, keys=10_000),
    "update-1m": Measurement("... 1,000,000 keys, in memory", "update", keys=1_000_000, ours=("--state-cache", "1GB")),
    "update-1m-cold": Measurement("... 1,000,000 keys, RocksDB; ours on its default, 8 MB", "update", keys=1_000_000,
                                  theirs=ROCKSDB),
}


class Theirs:
    def __init__(self, measurement, options, directory):
        self.counts = Path(directory, "counts")
        self.counts.write_bytes(bytes(4096))
        config = {"function": measurement.function, "tokens": measurement.tokens, "payload": options.payload,
                  "counts": self.counts}
        if measurement.keys:
            config["keys"] = measurement.keys
        elif measurement.workers == 1:
            config["rounds"] = True
        self.flink = Flink(
            Path(directory, "flink"), "", [*HEAP, *options.jvm.split()],
            [ROOT / "build/flink-bench", CACHE / "flink-rocksdb/*"],
            ["execution.checkpointing.interval=1s", f"parallelism.default={measurement.workers}",
             f"statefun.message.serializer={SERIALIZERS[options.payload]}", *measurement.theirs,
             *(f"statefun.module.global-config.{key}={value}" for key, value in config.items()), *options.set])

    def start(self):
        self.flink.start()
        self.pid = self.flink.process.pid

    def figures(self):
        return sum(struct.unpack("<512q", self.counts.read_bytes())), cpu_seconds(self.pid), time.monotonic()

    def compiling(self):
        """CPU time that Java's own compilers have taken."""
        ticks = 0
        for stat in Path(f"/proc/{self.pid}/task").glob("*/stat"):
            name, fields = stat.read_text().split("(", 1)[1].rsplit(")", 1)
            if "CompilerThre" in name:
                ticks += sum(map(int, fields.split()[11:13]))
        return ticks / TICKS

    def warm_up(self):
        """Until nearly all of the CPU time is spent on running, not on compiling."""
        began = time.monotonic()
        while True:
            before = self.compiling(), cpu_seconds(self.pid)
            time.sleep(2)
            share = (self.compiling() - before[0]) / max(cpu_seconds(self.pid) - before[1], 1 / TICKS)
            if share < 0.02 and time.monotonic() - began > 10 or time.monotonic() - began > 90:
                return

    def checkpoint(self):
        """The last that is complete."""
        complete = Path(self.flink.directory, "checkpoints").glob("*/chk-*/_metadata")
        return max((int(file.parent.name.removeprefix("chk-")) for file in complete), default=0)

    def end(self):
        self.flink.end()


class Ours:
    def __init__(self, measurement, options, directory):
        self.measurement = measurement
        config = [("tokens", measurement.tokens)] + ([("keys", measurement.keys)] if measurement.keys else [])
        self.embedded = Embedded(options, directory, config, ("--workers", str(measurement.workers), *measurement.ours))
        self.pid = self.embedded.statefun.process.pid

    def start(self):
        if not self.measurement.keys:
            status, _, body = self.embedded.statefun.post(f"/bench/{self.measurement.function}/0", b"go", type="bench/go")
            assert status == 200, body

    def figures(self):
        return self.embedded.figures(self.measurement.function)

    def warm_up(self):
        time.sleep(1)

    def end(self):
        self.embedded.statefun.end()


def measure(measurement, options):
    with tempfile.TemporaryDirectory() as directory:
        theirs = Theirs(measurement, options, directory)
        sides, spells = [theirs], {theirs: []}
        try:
            theirs.start()
            if not options.theirs_only:
                os.kill(theirs.pid, signal.SIGSTOP)
                ours = Ours(measurement, options, directory)
                sides.append(ours)
                spells[ours] = []
                ours.start()
                os.kill(ours.pid, signal.SIGSTOP)
            for side in sides:
                os.kill(side.pid, signal.SIGCONT)
                wait_for(lambda: side.figures()[0] > 2 * measurement.keys, 600, "each key's state")
                side.warm_up()
                os.kill(side.pid, signal.SIGSTOP)
            checkpoint = theirs.checkpoint()
            for _ in range(SPELLS):
                for side in sides:
                    os.kill(side.pid, signal.SIGCONT)
                    time.sleep(0.5)  # what was due meanwhile, a checkpoint for one, is done
                    spells[side].append(spell(side.figures, options.seconds / SPELLS))
                    os.kill(side.pid, signal.SIGSTOP)
            assert theirs.checkpoint() > checkpoint, f"no checkpoint was completed\n{theirs.flink.log()}"
            told = []
            for side in sides:
                rates, costs = zip(*spells[side])
                told += [median_and_spread(rates, ",.0f"), median_and_spread(costs, ".3f"), f"{memory_mb(side.pid):.0f}"]
            return told
        finally:
            for side in sides:
                side.end()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True)
    parser.add_argument("--module", required=True)
    parser.add_argument("--seconds", type=float, default=10, help="of each side, in five spells")
    parser.add_argument("--one-core", action="store_true", help="both have one core only")
    parser.add_argument("--theirs-only", action="store_true")
    parser.add_argument("--payload", choices=SERIALIZERS, default="protobuf", help="their messages; object: by Kryo")
    parser.add_argument("--jvm", default="", help="more of Java's options, in one argument")
    parser.add_argument("--set", action="append", default=[], help="KEY=VALUE: more of Flink's settings")
    parser.add_argument("measurements", nargs="*", choices=[[], *MEASUREMENTS])
    options = parser.parse_args()
    if options.one_core:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    print("| | workers | StateFun 3.3, messages/s | µs of CPU each | MB | ours, messages/s | µs of CPU each | MB | load |\n"
          "|---|---|---|---|---|---|---|---|---|", flush=True)
    for name in options.measurements or MEASUREMENTS:
        measurement = MEASUREMENTS[name]
        told = measure(measurement, options)
        print(f"| {measurement.what} | {measurement.workers} | {' | '.join(told)} | {os.getloadavg()[0]:.1f} |", flush=True)


if __name__ == "__main__":
    main()
