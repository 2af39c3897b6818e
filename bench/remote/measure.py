#!/usr/bin/env python3
"""What a message to a remote function in C costs, with and without bundles: docs/bundles.md.

    bench/remote/measure.py --program PATH --module LIBRARY --function PROGRAM [--seconds N] [MEASUREMENT]...

An ingress in C feeds a function that counts in a state, with durable epochs on. Measurements (all, if none is
named): number 64 1000 10000 (bytes of the state), 10000-read (that are read, and the count beside them changes)
"""
import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/e2e"), str(ROOT / "bench")]

from bench import cpu_seconds  # noqa: E402
import statefun_process  # noqa: E402

MODULE = """
kind: io.statefun.endpoints.v2/http
spec: {{functions: bench/update, urlPathTemplate: "http://{where}/"}}
---
kind: io.statefun.playground.v1/ingress
spec: {{port: 0}}
"""
WAYS = [("plain", False, False), ("bundles", True, False), ("keeping", True, True)]
LABELS = {"namespace": "bench", "name": "update"}


class Function:
    def __init__(self, options, threads, flags):
        self.process = subprocess.Popen(
            [options.function, "--listen", "127.0.0.1:0", "--threads", str(threads),
             *flags], stdout=subprocess.PIPE, text=True)
        self.where = self.process.stdout.readline().split()[-1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


class Runtime:
    def __init__(self, options, directory, where, keys, workers, bundles):
        statefun_process.PROGRAM = Path(options.program).absolute()
        self.statefun = statefun_process.Statefun(Path(directory), MODULE.format(where=where))
        modules, settings = Path(directory, "module"), Path(directory, "statefun.yaml")
        modules.mkdir()
        (modules / "functions.so").symlink_to(Path(options.module).absolute())
        settings.write_text(f"statefun.module.global-config.keys: {keys}\n"
                            "statefun.module.global-config.ingress-only: yes\n")
        self.statefun.start("--module", str(modules), "--config", str(settings), "--workers", str(workers),
                            "--state-cache", "256MB", "--remote-bundles", str(bundles).lower())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.statefun.end()

    def metric(self, name):
        return self.statefun.metric(name, **LABELS)


def spell(runtime, function, seconds):
    def figures():
        return [time.monotonic(), runtime.metric("statefun_functions_invoked_messages_total"),
                runtime.metric("statefun_functions_invocations_total"),
                runtime.metric("statefun_endpoint_requests_total"),
                cpu_seconds(runtime.statefun.process.pid), cpu_seconds(function.process.pid)]
    before = figures()
    time.sleep(seconds)
    took, messages, invocations, requests, cpu, function_cpu = (b - a for a, b in zip(before, figures()))
    return (messages / took, invocations / max(requests, 1), cpu * 1e6 / max(messages, 1),
            function_cpu * 1e6 / max(messages, 1), messages / max(invocations, 1))


def measure(options, name, state_bytes, keys, reads=False):
    config = ["--config", f"state-bytes={state_bytes}", *(["--config", "reads=yes"] if reads else [])]
    for workers in (1, 2):
        for way, bundles, keeps in WAYS:
            with tempfile.TemporaryDirectory() as directory, \
                    Function(options, workers, [*config, "--keep", "256" if keeps else "0"]) as function, \
                    Runtime(options, directory, function.where, keys, workers, bundles) as runtime:
                while runtime.metric("statefun_functions_in_total") < 2 * keys:  # all are there
                    time.sleep(0.2)
                spells = [spell(runtime, function, options.seconds / 5) for _ in range(5)]
                rates, shares, costs, function_costs, batches = (sorted(values) for values in zip(*spells))
                known, unknown = (runtime.metric(f"statefun_endpoint_kept_{which}_total")
                                  for which in ("known", "unknown"))
                print(f"{name:10} workers {workers} {way:8} "
                      f"{rates[2]:9,.0f} messages/s ({rates[0]:,.0f} to {rates[-1]:,.0f})   µs of CPU each: runtime "
                      f"{costs[2]:.2f} ({costs[0]:.2f} to {costs[-1]:.2f}), function {function_costs[2]:.2f} "
                      f"({function_costs[0]:.2f} to {function_costs[-1]:.2f})   {shares[2]:.1f} invocations a request, "
                      f"{batches[2]:.2f} messages each, kept {known:,.0f} of {known + unknown:,.0f}", flush=True)


MEASUREMENTS = {
    "number": lambda options: measure(options, "number", 0, 10_000),
    "64": lambda options: measure(options, "64 B", 64, 10_000),
    "1000": lambda options: measure(options, "1000 B", 1000, 10_000),
    "10000": lambda options: measure(options, "10 kB", 10_000, 10_000),
    "10000-read": lambda options: measure(options, "10 kB read", 10_000, 10_000, reads=True),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True)
    parser.add_argument("--module", required=True)
    parser.add_argument("--function", required=True)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("measurements", nargs="*", choices=[[], *MEASUREMENTS])
    options = parser.parse_args()
    for name in options.measurements or MEASUREMENTS:
        MEASUREMENTS[name](options)


if __name__ == "__main__":
    main()
