"""A statefun of one's own: started on ports that the kernel picks, killed, stopped, asked for its figures; and what
tests wait with, ask with, and do things beside it with."""
import http.client
import json
import os
import re
import signal
import subprocess
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(os.environ.get("STATEFUN", ROOT / "build/release/statefun"))
INGRESS = "io.statefun.playground/ingress"
EGRESS = "io.statefun.playground/egress"

# What the modules of many tests have. Others have functions of their own before the playground.
PLAYGROUND = """---
kind: io.statefun.playground.v1/ingress
spec:
  port: 0
---
kind: io.statefun.playground.v1/egress
spec:
  port: 0
  topics: [greetings, out]
"""
MODULE = """
kind: io.statefun.endpoints.v2/http
spec:
  functions: example/*
  urlPathTemplate: {url}
""" + PLAYGROUND
# The greeter's, where its function example/person is called in a way of the test's own.
GREETER_AND_PLAYGROUND = """---
kind: io.statefun.endpoints.v2/http
spec:
  functions: example/greeter
  urlPathTemplate: {greeter}
""" + PLAYGROUND


def wait_for(condition, seconds=20, what="it"):
    """The condition's first true value."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"{what} did not happen within {seconds} s"
        time.sleep(0.01)


def ask(address, method, path, body=None, headers=None, timeout=10):
    """One HTTP request: status, headers, body."""
    connection = http.client.HTTPConnection(address, timeout=timeout)
    try:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        return response.status, response.headers, response.read()
    finally:
        connection.close()


class Background(threading.Thread):
    """What a test does beside other things. What it fails with the test fails with, which pytest alone does not see to:
    `finish` waits for its end and raises it. A test that has failed before does not wait for it."""

    def __init__(self, target, *arguments):
        super().__init__(target=target, args=arguments, daemon=True)
        self.failure = None
        self.start()

    def run(self):
        try:
            super().run()
        except BaseException as failure:
            self.failure = failure

    def finish(self):
        self.join()
        if self.failure:
            raise self.failure


class Statefun:
    def __init__(self, directory, module):
        self.directory = Path(directory)
        self.data = self.directory / "data"
        self.module = self.directory / "module.yaml"
        self.module.write_text(module)
        self.log_file = self.directory / "statefun.log"
        self.process = None
        self.listeners = {}

    def start(self, *flags, seconds=20):
        assert self.process is None
        log = open(self.log_file, "ab")
        notice = self.data / "runtime.json"
        notice.unlink(missing_ok=True)
        self.process = subprocess.Popen(
            [PROGRAM, "run", "-m", self.module, "--data", self.data, "--admin", "127.0.0.1:0",
             "--http-bind", "127.0.0.1", *flags], stdout=log, stderr=log)
        log.close()

        def is_there():
            assert self.process.poll() is None, f"statefun ended\n{self.log()}"
            return notice.exists()
        wait_for(is_there, seconds, "the start of statefun")
        self.listeners = json.loads(notice.read_text())["listeners"]
        wait_for(lambda: self.get("/readyz")[0] == 200, seconds, "readiness")
        return self

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process = None

    def stop(self, seconds=30):
        """As an operator stops it; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(seconds)
        self.process = None
        return code

    def end(self):
        if self.process:
            self.kill()

    def log(self):
        return self.log_file.read_text(errors="replace")

    # --- commands about it ---

    def command(self, *arguments, code=0):
        """What a command of the program says of its data directory, out and err together."""
        name, *rest = arguments
        result = subprocess.run([PROGRAM, name, "--data", self.data, *rest], text=True, timeout=60,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert result.returncode == code, result.stdout
        return result.stdout

    def letters(self, *filters):
        """Its dead letters, oldest first."""
        return [json.loads(line) for line in self.command("deadletter", "export", *filters).splitlines()]

    # --- its listeners ---

    def get(self, path):
        return ask(self.listeners["admin"], "GET", path)

    def metric(self, name, /, **labels):
        """The sum of a metric over all its labels that match; 0 while there are none."""
        status, _, body = self.get("/metrics")
        assert status == 200
        assert f"# TYPE {name} " in body.decode(), f"there is no metric {name}"
        total = 0.0
        for line in body.decode().splitlines():
            match = re.match(r"([a-z_]+)(?:\{(.*)\})? (\S+)$", line)
            if match and match.group(1) == name:
                pairs = dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', match.group(2) or ""))
                if all(pairs.get(key) == value for key, value in labels.items()):
                    total += float(match.group(3))
        return total

    def post(self, path, body=b"hello", type="example/visit", **headers):
        headers = {key.replace("_", "-"): value for key, value in headers.items()}
        return ask(self.listeners[INGRESS], "POST", path, body, {"Content-Type": type, **headers})

    def fetch(self, topic):
        """The next record of the playground's egress, or None."""
        status, _, body = ask(self.listeners[EGRESS], "GET", f"/{topic}")
        assert status in (200, 404)
        return body.decode() if status == 200 else None

    def fetch_all(self, topic, count, seconds=20):
        records = []

        def enough():
            record = self.fetch(topic)
            if record is not None:
                records.append(record)
            return len(records) >= count
        wait_for(enough, seconds, f"record {count} of {topic}")
        return records
