"""Functions in processes of their own, so that they can be killed: greeter.py of the examples, and others."""
import socket
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
GREETER = HERE.parents[1] / "examples/greeter/greeter.py"
GATEWAY = HERE / "gateway.py"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Function:
    """A program that serves functions at --port; a Python script, unless it is `run_by` something else."""

    def __init__(self, directory, script, *flags, run_by=(sys.executable,), port=None):
        self.port = port or free_port()
        self.command = [*run_by, script, "--port", str(self.port), *flags]
        self.log_file = Path(directory) / f"{Path(script).stem}.log"
        self.process = None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/statefun"

    def start(self):
        log = open(self.log_file, "ab")
        self.process = subprocess.Popen(self.command, stdout=log, stderr=log)
        log.close()
        deadline = time.monotonic() + 30
        while True:
            assert self.process.poll() is None, f"the function ended\n{self.log_file.read_text()}"
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return self
            except OSError:
                assert time.monotonic() < deadline, "the function does not listen"
                time.sleep(0.02)

    def kill(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None
