#!/usr/bin/env python3
"""How long states take from lines into a data directory and back, and how much memory.

    bench/state_import.py [COUNT]...     1,000,000 and 5,000,000 unless given

One state of a built-in type for each of COUNT addresses, in an order that is none of theirs. What comes out is
compared with what went in.
"""
import hashlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROGRAM = Path(os.environ.get("STATEFUN", Path(__file__).resolve().parents[1] / "build/release/statefun"))
LINE = ('{"namespace":"example","type":"person","id":"user-%d","state":"visits",'
        '"typename":"io.statefun.types/int","value":%d}\n')


def fingerprint(file):
    """Of the lines, whatever their order."""
    total = 0
    with open(file, "rb") as lines:
        for line in lines:
            total += int.from_bytes(hashlib.blake2b(line, digest_size=8).digest(), "big")
    return total


def measure(*arguments):
    """Seconds, CPU seconds, MB of memory at most."""
    begun = time.monotonic()
    process = subprocess.Popen([PROGRAM, "state", *map(str, arguments)], stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"statefun state {arguments[0]} failed")
    return time.monotonic() - begun, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main():
    for count in [int(text) for text in sys.argv[1:]] or [1_000_000, 5_000_000]:
        with tempfile.TemporaryDirectory() as directory:
            lines, data, back = (Path(directory, name) for name in ("lines", "data", "back"))
            with open(lines, "w") as file:
                file.writelines(LINE % (i * 2654435761 % 4294967296, i) for i in range(count))
            for name, *arguments in (("import", "import", lines), ("export", "export", back)):
                seconds, cpu, memory = measure(*arguments, "--data", data)
                print(f"{name} {count:,}: {seconds:.1f} s, {count / seconds:,.0f} a second, "
                      f"{cpu * 1e6 / count:.1f} us of CPU each, {memory:.0f} MB", flush=True)
            if fingerprint(lines) != fingerprint(back):
                sys.exit("what came out is not what went in")


if __name__ == "__main__":
    main()
