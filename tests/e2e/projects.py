"""Projects as 'statefun new' makes them, and 'statefun dev' in one: for test_new.py, test_dev.py and sdk/test_projects.py."""
import http.client
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from function_process import free_port
from statefun_process import EGRESS, INGRESS, PROGRAM, ask, wait_for

# Each language, kind and ingress that there is.
ALL = [("c", "embedded", "http"), ("c", "embedded", "kafka"), ("c", "remote", "http"), ("c", "remote", "kafka"),
       *((language, "remote", ingress) for language in ("python", "go", "java", "js") for ingress in ("http", "kafka"))]


def new(directory, *flags, program=PROGRAM):
    result = subprocess.run([program, "new", directory, *flags], capture_output=True, text=True, timeout=30,
                            stdin=subprocess.DEVNULL)
    assert result.returncode == 0, result.stderr
    return Path(directory)


def replace(file, *pairs):
    """At once, as editors do it."""
    text = file.read_text()
    for old, new in pairs:
        assert old in text, f"{file} has no {old}"
        text = text.replace(old, new)
    part = file.with_name("." + file.name)
    part.write_text(text)
    part.rename(file)


def on_free_ports(project):
    """The same project where others run beside it."""
    module, dev, port = project / "module.yaml", project / "statefun-dev.yaml", free_port()
    if "8000" in module.read_text():
        replace(module, (":8000/", f":{port}/"))
    if "8090" in module.read_text():
        replace(module, ("8090", "0"), ("8091", "0"))
    flags = {"greeter.py\n": f"greeter.py --port {port}\n", "run: build/greeter\n": f"run: build/greeter -port {port}\n",
             "greeter.js\n": f"greeter.js --port {port}\n", "greeter.jar\n": f"greeter.jar 127.0.0.1 {port}\n",
             "127.0.0.1:8000": f"127.0.0.1:{port}"}
    for old, new in flags.items():
        if old in dev.read_text():
            replace(dev, (old, new))
    return project


def with_this_python(project):
    """With the packages of whoever runs the tests, instead of an environment of its own."""
    python = project / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    (project / ".venv/ready").touch()
    os.utime(project / "requirements.txt", (0, 0))
    return project


class Dev:
    """A 'statefun dev' that runs. All that it starts can be found by a mark in its environment."""
    numbers = itertools.count()

    def __init__(self, project, *flags, program=PROGRAM, output=None, cwd=None, **environment):
        self.project = project
        self.log_file = project.parent / f"{project.name}.log"
        self.mark = f"STATEFUN_TEST_MARK={os.getpid()}-{next(self.numbers)}"
        name, value = self.mark.split("=")
        log = open(self.log_file, "wb")
        self.process = subprocess.Popen([program, "dev", "--admin", "127.0.0.1:0", *flags], cwd=cwd or project,
                                        stdout=output or log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                        env={**os.environ, name: value, **environment})
        log.close()

    def log(self):
        return self.log_file.read_text(errors="replace")

    def wait_for_log(self, text, times=1, seconds=30):
        def is_there():
            assert self.process.poll() is None, f"it has ended\n{self.log()}"
            return self.log().count(text) >= times
        wait_for(is_there, seconds, f"'{text}' in the output ({self.log_file})")

    def listener(self, name):
        return json.loads((self.project / ".statefun/data/runtime.json").read_text())["listeners"][name]

    def visit(self, name="Ada"):
        """Sends a visit, and fetches what comes of it."""
        namespace = self.project.name
        status, _, body = ask(self.listener(INGRESS), "POST", f"/in/{namespace}/greeter/{name}", b"hello",
                              {"Content-Type": f"{namespace}/visit"})
        assert status == 202, body

        def greeting():
            status, _, body = ask(self.listener(EGRESS), "GET", "/greetings")
            return body.decode() if status == 200 else None
        return wait_for(greeting, what="a greeting")

    def greets(self, name, text):
        """Visits until the greeting has this text; whoever is asked may be about to start again."""
        def greeting():
            try:
                return text in self.visit(name)
            except (OSError, http.client.HTTPException):
                return False
        wait_for(greeting, 300, f"a greeting with '{text}'")

    def processes(self):
        """All that bear the mark, dev itself too."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if self.mark.encode() in (process / "environ").read_bytes().split(b"\0"):
                    found.append(int(process.name))
            except OSError:
                pass  # gone meanwhile
        return found

    def stop(self, seconds=30):
        """As Ctrl-C does. Tells the exit code, and how long it took."""
        begun = time.monotonic()
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(seconds), time.monotonic() - begun

    def end(self):
        """Whatever has become of it: nobody is left."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for process in self.processes():
            os.kill(process, signal.SIGKILL)
