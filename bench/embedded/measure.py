#!/usr/bin/env python3
"""What a message to an embedded function costs, with durable epochs on, and what an instance takes.

    bench/embedded/measure.py --program PATH --module LIBRARY [--seconds N] [MEASUREMENT]...

Measurements (all, if none is named): ring random counted update-10k update-1m update-1m-64mb update-1m-cached
instances-1m instances-10m
"""
import argparse
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/e2e"), str(ROOT / "bench")]

from bench import cpu_seconds, memory_mb  # noqa: E402
import statefun_process  # noqa: E402

MODULE = """
kind: io.statefun.playground.v1/ingress
spec: {port: 0}
"""


def spell(figures, seconds):
    """Messages a second, and µs of CPU (of all threads) for each, while so much time goes by."""
    before = figures()
    time.sleep(seconds)
    after = figures()
    messages = after[0] - before[0]
    return messages / (after[2] - before[2]), (after[1] - before[1]) * 1e6 / max(messages, 1)


def median_and_spread(values, form):
    values = sorted(values)
    return f"{values[len(values) // 2]:{form}} ({values[0]:{form}} to {values[-1]:{form}})"


class Embedded:
    def __init__(self, options, directory, config=(), flags=()):
        statefun_process.PROGRAM = Path(options.program).absolute()
        self.statefun = statefun_process.Statefun(Path(directory), MODULE)
        Path(directory, "module").mkdir()
        (Path(directory, "module") / "functions.so").symlink_to(Path(options.module).absolute())
        settings = Path(directory, "statefun.yaml")
        settings.write_text("".join(f"statefun.module.global-config.{key}: {value}\n" for key, value in config))
        self.statefun.start("--module", str(Path(directory, "module")), "--config", str(settings), *flags)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.statefun.end()

    def figures(self, function):
        messages = self.statefun.metric("statefun_functions_in_total", namespace="bench", name=function)
        return messages, cpu_seconds(self.statefun.process.pid), time.monotonic()

    def has_taken(self, function, messages):
        """A worker that makes room for millions of instances may be too late to tell its figures."""
        try:
            return self.figures(function)[0] >= messages
        except AssertionError:
            return False

    def measure(self, function, seconds):
        rates, costs = zip(*(spell(lambda: self.figures(function), seconds / 5) for _ in range(5)))
        return f"{median_and_spread(rates, ',.0f')} messages/s   {median_and_spread(costs, '.3f')} µs of CPU each"


def hops(options, function):
    for workers in (1, 2):
        with tempfile.TemporaryDirectory() as directory, \
                Embedded(options, directory, flags=("--workers", str(workers))) as embedded:
            status, _, body = embedded.statefun.post(f"/bench/{function}/0", b"go", type="bench/go")
            assert status == 200, body
            time.sleep(1)
            print(f"{function:14} workers {workers} {embedded.measure(function, options.seconds)}", flush=True)


def update(options, keys, *flags):
    for workers in (1, 2):
        with tempfile.TemporaryDirectory() as directory, \
                Embedded(options, directory, config=[("keys", keys)],
                         flags=("--workers", str(workers), *flags)) as embedded:
            while embedded.figures("update")[0] < 2 * keys:  # all are there
                time.sleep(0.2)
            print(f"update {keys:>9,} {' '.join(flags)} workers {workers} {embedded.measure('update', options.seconds)}   "
                  f"{memory_mb(embedded.statefun.process.pid):.0f} MB", flush=True)


def instances(options, keys):
    """The cache is as large as it must be to hold them all."""
    with tempfile.TemporaryDirectory() as directory, \
            Embedded(options, directory, config=[("keys", keys), ("state-bytes", 64)],
                     flags=("--workers", "1", "--state-cache", f"{keys // 1000}MB")) as embedded:
        empty = memory_mb(embedded.statefun.process.pid, "VmRSS")
        while not embedded.has_taken("update", keys):
            time.sleep(0.5)
        full = memory_mb(embedded.statefun.process.pid, "VmRSS")
        held = embedded.statefun.metric("statefun_instances")
        cache = embedded.statefun.metric("statefun_cache_bytes")
        print(f"instances {keys:>10,} in memory {held:,.0f}: {cache / held:.0f} bytes each by our own count, "
              f"{(full - empty) * 2**20 / held:.0f} of RSS growth each", flush=True)


MEASUREMENTS = {
    "ring": lambda options: hops(options, "ring"),
    "random": lambda options: hops(options, "random"),
    "counted": lambda options: hops(options, "counted"),
    "update-10k": lambda options: update(options, 10_000),
    "update-1m": lambda options: update(options, 1_000_000),
    "update-1m-64mb": lambda options: update(options, 1_000_000, "--state-cache", "64MB"),
    "update-1m-cached": lambda options: update(options, 1_000_000, "--state-cache", "1GB"),
    "instances-1m": lambda options: instances(options, 1_000_000),
    "instances-10m": lambda options: instances(options, 10_000_000),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True)
    parser.add_argument("--module", required=True)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("measurements", nargs="*", choices=[[], *MEASUREMENTS])
    options = parser.parse_args()
    for name in options.measurements or MEASUREMENTS:
        MEASUREMENTS[name](options)


if __name__ == "__main__":
    main()
