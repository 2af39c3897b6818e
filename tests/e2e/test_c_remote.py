"""Functions in C as remote functions: over TCP and unix sockets, killed under load, together with Python's."""
import os
import random
import signal
import subprocess
import threading
from pathlib import Path

import pytest
from function_process import Function
from statefun_process import INGRESS, PROGRAM, Background, ask, wait_for
from test_greeter_http import MODULE, again, first, visit

PROGRAMS = Path(os.environ.get("C_FUNCTIONS", PROGRAM.parent / "tests/e2e/c"))
PARTNER = Path(__file__).resolve().parent / "c/remote/partner.py"


class CFunction(Function):
    """A program made of tests/e2e/c/remote: on a port, or on a unix socket."""

    def __init__(self, directory, name, *flags, port=None, path=None):
        super().__init__(directory, PROGRAMS / name, port=port)
        self.path = path
        self.log_file = Path(directory) / f"c-{name}.log"
        where = f"unix:{path}" if path else f"127.0.0.1:{self.port}"
        self.command = [PROGRAMS / name, "--listen", where, "--log-level", "debug", *flags]

    @property
    def url(self):
        return f"http+unix://{self.path}/statefun" if self.path else super().url

    def start(self):
        if not self.path:
            return super().start()
        log = open(self.log_file, "ab")
        self.process = subprocess.Popen(self.command, stdout=log, stderr=log)
        log.close()
        wait_for(self.path.exists, what="the function's socket")
        return self

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(20)
        self.process = None
        return code


@pytest.fixture
def make_c(tmp_path):
    made = []

    def make(name, *flags, **how):
        function = CFunction(tmp_path, name, *flags, **how)
        made.append(function)
        return function.start()
    yield make
    for function in made:
        function.kill()


def greetings_of(name, count):
    return [first(name)] + [again(name, number) for number in range(2, count + 1)]


def test_each_name_has_a_count_of_its_own(make_c, make_statefun):
    greeter = make_c("greeter")
    statefun = make_statefun(MODULE.format(url=greeter.url)).start()
    for name in ("Ada", "Grace", "Ada", "Ada"):
        visit(statefun, name)
    greetings = statefun.fetch_all("greetings", 4)
    assert [g for g in greetings if "Ada" in g] == greetings_of("Ada", 3)
    assert [g for g in greetings if "Grace" in g] == [first("Grace")]
    where = f"127.0.0.1:{greeter.port}"
    assert ask(where, "GET", "/health")[0] == 200
    assert b'statefun_functions_counter{namespace="example",name="person",counter="visits"} 4\n' in \
        ask(where, "GET", "/metrics")[2]
    assert greeter.stop() == 0
    assert statefun.stop() == 0


def test_a_unix_socket_serves_too(make_c, make_statefun, tmp_path):
    greeter = make_c("greeter", path=tmp_path / "greeter.sock")
    statefun = make_statefun(MODULE.format(url=greeter.url)).start()
    for _ in range(3):
        visit(statefun, "Ada")
    assert statefun.fetch_all("greetings", 3) == greetings_of("Ada", 3)
    greeter.kill()  # which leaves the socket's file behind
    greeter.path.unlink()
    greeter.start()
    visit(statefun, "Ada")
    assert statefun.fetch_all("greetings", 1) == [again("Ada", 4)]


@pytest.mark.parametrize("transport", ["tcp", "unix"])
def test_a_function_killed_under_load_counts_each_visit_once(make_c, make_statefun, tmp_path, transport):
    greeter = make_c("greeter", path=tmp_path / "greeter.sock" if transport == "unix" else None)
    statefun = make_statefun(MODULE.format(url=greeter.url)).start("--retry-backoff-max", "100ms", "--workers", "2")
    clients, rounds, names, kills = 4, 250, 5, 0

    def client(number):
        for round_number in range(rounds):
            visit(statefun, f"name-{number}-{round_number % names}")

    threads = [Background(client, number) for number in range(clients)]
    generator = random.Random(7)
    while any(thread.is_alive() for thread in threads) or kills < 5:
        threading.Event().wait(generator.uniform(0.01, 0.2))
        greeter.kill()
        if greeter.path:
            greeter.path.unlink(missing_ok=True)
        greeter.start()
        kills += 1
    for thread in threads:
        thread.finish()
    greetings = statefun.fetch_all("greetings", clients * rounds, seconds=60)
    for number in range(clients):
        for name in (f"name-{number}-{i}" for i in range(names)):
            assert [g for g in greetings if f" {name}:" in g] == greetings_of(name, rounds // names)
    assert statefun.fetch("greetings") is None


def test_a_message_that_a_function_refuses_is_its_failure(make_c, make_statefun):
    greeter = make_c("greeter")
    statefun = make_statefun(MODULE.format(url=greeter.url)).start()
    ask(statefun.listeners[INGRESS], "POST", "/in/example/person/Ada", b"x", {"Content-Type": "example/unknown"})
    wait_for(lambda: "a function fails" in greeter.log_file.read_text(), what="a line of the function's log")
    line = [line for line in greeter.log_file.read_text().splitlines() if "a function fails" in line][0]
    assert "function=example/person id=Ada" in line
    assert "Don't know how to handle a message of type 'example/unknown'" in line
    wait_for(lambda: "HTTP status 500" in statefun.log(), what="a line of the runtime's log")


PARTNERS = """
kind: io.statefun.endpoints.v2/http
spec: {{functions: c/*, urlPathTemplate: "{c}"}}
---
kind: io.statefun.endpoints.v2/http
spec: {{functions: python/*, urlPathTemplate: "{python}"}}
---
kind: io.statefun.endpoints.v2/http
spec: {{functions: either/*, urlPathTemplate: "{either}"}}
---
kind: io.statefun.playground.v1/ingress
spec: {{port: 0}}
---
kind: io.statefun.playground.v1/egress
spec: {{port: 0, topics: [out]}}
"""


def send(statefun, address, body=b"hello"):
    status, _, text = statefun.post(f"/in/{address}", body, "example/start")
    assert status == 202, text


def test_c_and_python_talk_in_every_type(make_c, make_function, make_statefun):
    c, python = make_c("partner"), make_function(PARTNER)
    statefun = make_statefun(PARTNERS.format(c=c.url, python=python.url, either=c.url)).start()
    for number in range(1, 6):
        send(statefun, f"c/player/p{number}", b"x" * number)
    assert sorted(statefun.fetch_all("out", 5)) == [f"python/player p{number} says true" for number in range(1, 6)]


def test_a_function_goes_on_in_the_other_language(make_c, make_function, make_statefun):
    python = make_function(PARTNER)
    statefun = make_statefun(PARTNERS.format(c=python.url, python=python.url, either=python.url))
    statefun.start("--retry-backoff-max", "100ms")
    text, c = "", None
    for number in range(1, 7):
        send(statefun, "either/keeper/k")
        text += "p" if number % 2 else "c"
        assert statefun.fetch_all("out", 1) == \
            [f"{number} {text} {number * 2 ** 40} {number / 2:g} {'odd' if number % 2 else 'even'}"]
        if number % 2:
            python.kill()
            c = make_c("partner", port=python.port)
        else:
            assert c.stop() == 0
            python.start()


def test_results_of_asynchronous_operations_count_exactly_once(make_c, make_statefun):
    c = make_c("partner")
    statefun = make_statefun(PARTNERS.format(c=c.url, python=c.url, either=c.url))
    statefun.start("--retry-backoff-max", "100ms")
    for number in range(100):
        send(statefun, f"c/worker/w{number % 4}")
        if number % 25 == 24:
            c.kill()
            c.start()
    results = statefun.fetch_all("out", 100)
    for worker in range(4):
        assert [r for r in results if r.startswith(f"w{worker} ")] == [f"w{worker} done {n}" for n in range(1, 26)]
    assert statefun.fetch("out") is None
