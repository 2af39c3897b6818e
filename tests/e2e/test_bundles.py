"""Bundles of invocations and states that functions keep (docs/bundles.md): used, given up, and exact through it all."""
import http.client
import os
import random
import time
from pathlib import Path

import pytest
from statefun_process import Background, wait_for
from test_c_remote import make_c  # noqa: F401 (a fixture)

HERE = Path(__file__).resolve().parent
IN_PYTHON, GATEWAY = HERE / "c/remote/ledger.py", HERE / "http2_gateway.mjs"
COUNTERS = 100
KILLS = int(os.environ.get("KILLS", "24"))
MODULE = """
kind: io.statefun.endpoints.v2/http
spec:
  functions: ledger/*
  urlPathTemplate: {url}
---
kind: io.statefun.playground.v1/ingress
spec: {{port: 0}}
---
kind: io.statefun.playground.v1/egress
spec: {{port: 0, topics: [out]}}
"""
FLAGS = ("--retry-backoff-max", "100ms")
TEXT, NUMBER = "io.statefun.types/string", "io.statefun.types/int"


def text(value):
    return b"\x0a" + bytes([len(value)]) + value.encode()


def number(value):
    return b"\x0d" + value.to_bytes(4, "little")


def begin_round(statefun, hops, name="0"):
    """A token goes on its way at every counter; each counter is to count `hops` more. Repeated until it is taken."""
    key = f"{name}-{random.random()}"

    def is_taken():
        try:
            return statefun.post("/in/ledger/start/" + name, text(str(hops)), TEXT, Idempotency_Key=key)[0] == 202
        except (OSError, http.client.HTTPException):
            return False
    wait_for(is_taken, 60, "a round")


def messages(statefun):
    return statefun.metric("statefun_functions_in_total", name="counter")


def figure(statefun, name):
    return statefun.metric(f"statefun_endpoint_{name}_total", name="counter")


def expect_counts(statefun, total, but=(), left=0):
    def is_quiet():
        """What is on its way between workers is in no figure."""
        before = messages(statefun)
        time.sleep(0.5)
        return statefun.metric("statefun_functions_num_backlog") == left and messages(statefun) == before
    wait_for(is_quiet, 120, "the end")
    others = {str(i): total for i in range(COUNTERS) if str(i) not in but}
    for counter in others:
        assert statefun.post(f"/in/ledger/counter/{counter}", text("tell"), TEXT)[0] == 202
    told = dict(line.split() for line in statefun.fetch_all("out", len(others), 60))
    assert {counter: int(count) for counter, count in told.items()} == others


def test_invocations_go_together_and_large_states_are_kept(make_c, make_statefun):  # noqa: F811
    ledger = make_c("ledger")
    statefun = make_statefun(MODULE.format(url=ledger.url)).start("--workers", "1", *FLAGS)
    for _ in range(5):
        begin_round(statefun, 40)
    expect_counts(statefun, 200)
    bundles, invocations = figure(statefun, "bundles"), figure(statefun, "bundled_invocations")
    assert bundles > 0 and invocations > 2 * bundles
    assert figure(statefun, "kept_known") > 100
    assert "WRONG" not in ledger.log_file.read_text()


def test_bundles_can_be_turned_off(make_c, make_statefun):  # noqa: F811
    ledger = make_c("ledger")
    statefun = make_statefun(MODULE.format(url=ledger.url)).start("--remote-bundles", "false")
    begin_round(statefun, 5)
    expect_counts(statefun, 5)
    assert figure(statefun, "bundles") == 0


def test_nothing_need_be_kept(make_c, make_statefun):  # noqa: F811
    ledger = make_c("ledger", "--keep", "0")
    statefun = make_statefun(MODULE.format(url=ledger.url)).start()
    begin_round(statefun, 20)
    expect_counts(statefun, 20)
    assert figure(statefun, "bundles") > 0
    assert figure(statefun, "kept_known") == figure(statefun, "kept_unknown") == 0


def test_a_gateway_may_stand_between(make_c, make_function, make_statefun, tmp_path):  # noqa: F811
    ledger = make_c("ledger")
    gateway = make_function(GATEWAY, "--to", ledger.url, "--seen", str(tmp_path / "seen"), run_by=("node",))
    module = MODULE.replace("{url}\n", "{url}\n  transport: {{type: io.statefun.transports.v1/okhttp, http_version: 2}}\n")
    statefun = make_statefun(module.format(url=gateway.url)).start(*FLAGS)
    begin_round(statefun, 20)
    expect_counts(statefun, 20)
    assert figure(statefun, "bundles") > 0
    assert "2.0" in (tmp_path / "seen").read_text()


def test_one_that_fails_holds_up_nobody(make_c, make_statefun):  # noqa: F811
    ledger = make_c("ledger")
    statefun = make_statefun(MODULE.format(url=ledger.url)).start(*FLAGS)
    begin_round(statefun, 10)
    expect_counts(statefun, 10)
    statefun.post("/in/ledger/counter/7", text("poison"), TEXT)
    for i in range(3 * COUNTERS):
        assert statefun.post(f"/in/ledger/counter/{i % COUNTERS}", number(1), NUMBER)[0] == 202
    expect_counts(statefun, 13, but=("7",), left=4)
    assert "HTTP status 500 (Internal Server Error), expected 2xx" in statefun.log()
    assert figure(statefun, "bundle_failures") == 0
    ledger.kill()
    ledger.command += ["--config", "cured=yes"]
    ledger.start()
    wait_for(lambda: statefun.metric("statefun_functions_num_backlog", name="counter") == 0, 60, "the cure")
    statefun.post("/in/ledger/counter/7", text("tell"), TEXT)
    assert statefun.fetch_all("out", 1) == ["7 14"]


def test_a_function_that_starts_anew_has_kept_nothing(make_c, make_statefun):  # noqa: F811
    ledger = make_c("ledger")
    statefun = make_statefun(MODULE.format(url=ledger.url)).start(*FLAGS)
    for round_number in range(3):
        begin_round(statefun, 20)
        expect_counts(statefun, 20 * (round_number + 1))
        assert ledger.stop() == 0
        ledger.start()
    begin_round(statefun, 20)
    expect_counts(statefun, 80)
    assert figure(statefun, "kept_unknown") > 0
    assert "WRONG" not in ledger.log_file.read_text()


def test_another_sdk_may_take_over_in_mid_flight(make_c, make_function, make_statefun):  # noqa: F811
    ledger = make_c("ledger")
    statefun = make_statefun(MODULE.format(url=ledger.url)).start(*FLAGS)
    begin_round(statefun, 3000)
    for _ in range(3):
        bundled = figure(statefun, "bundled_invocations")
        wait_for(lambda: figure(statefun, "bundled_invocations") > bundled + 500, 60, "bundles")
        ledger.kill()
        python = make_function(IN_PYTHON, port=ledger.port)
        bundled, before = figure(statefun, "bundled_invocations"), messages(statefun)
        wait_for(lambda: messages(statefun) > before + 500, 60, "progress in Python")
        python.kill()
        ledger.start()
    expect_counts(statefun, 3000)
    assert "WRONG" not in ledger.log_file.read_text() + python.log_file.read_text()


@pytest.mark.parametrize("workers", ["1", "2"])
def test_no_kill_of_either_makes_a_count_wrong(make_c, make_statefun, workers):  # noqa: F811
    ledger = make_c("ledger")
    statefun = make_statefun(MODULE.format(url=ledger.url)).start("--workers", workers, *FLAGS)
    seed = int(os.environ.get("SEED", "11"))
    print(f"SEED={seed}")
    generator = random.Random(seed)
    rounds, hops = 2 * KILLS, 100

    def load():
        for number_of_round in range(rounds):
            begin_round(statefun, hops, str(number_of_round % 4))
            time.sleep(0.1)

    loader = Background(load)
    bundled = 0
    for kill in range(KILLS):
        time.sleep(generator.uniform(0.02, 0.4))
        if kill % 3:
            ledger.kill()
            ledger.start()
        else:
            bundled += figure(statefun, "bundled_invocations")
            statefun.kill()
            statefun.start("--workers", workers, *FLAGS)
    loader.finish()
    expect_counts(statefun, rounds * hops)
    bundled += figure(statefun, "bundled_invocations")
    assert bundled > 1000
    assert "WRONG" not in ledger.log_file.read_text()
