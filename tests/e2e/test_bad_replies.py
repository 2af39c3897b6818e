"""Replies that cannot be used: only the address concerned waits, and what it waits for is not lost."""
from pathlib import Path

import pytest
from statefun_process import PLAYGROUND, ask, wait_for

MODULE = """
kind: io.statefun.endpoints.v2/http
spec:
  functions: example/person
  urlPathTemplate: {url}
  transport:
    type: io.statefun.transports.v1/async
    call: 2s
""" + PLAYGROUND
FAILURES = ["status-500", "status-503", "status-400", "status-404", "garbage", "truncated", "wrong-type",
            "wrong-state-type", "unknown-state", "silence", "hang-up"]


@pytest.fixture
def unruly(make_function):
    return make_function(Path(__file__).parent / "unruly.py")


@pytest.fixture
def statefun(unruly, make_statefun):
    return make_statefun(MODULE.format(url=unruly.url)).start("--retry-backoff-max", "200ms")


def visit(statefun, id):
    status, _, body = statefun.post(f"/in/example/person/{id}", body=b"")
    assert status == 202, body


def behave(unruly):
    assert ask(f"127.0.0.1:{unruly.port}", "POST", "/behave")[0] == 200


def test_a_failing_address_does_not_hold_up_the_others(unruly, statefun):
    for id in FAILURES:
        visit(statefun, id)
        visit(statefun, id)
    for count in range(1, 51):
        visit(statefun, "good")
    assert statefun.fetch_all("out", 50) == [f"good {count}" for count in range(1, 51)]

    behave(unruly)
    expected = sorted(f"{id} {count}" for id in FAILURES for count in (1, 2))
    assert sorted(statefun.fetch_all("out", len(expected))) == expected
    assert statefun.fetch("out") is None


def test_what_failed_before_a_kill_is_done_after_it(unruly, statefun):
    for id in FAILURES:
        visit(statefun, id)
    wait_for(lambda: statefun.metric("statefun_functions_remote_invocation_failures_total") >= len(FAILURES))
    statefun.kill()
    behave(unruly)
    statefun.start()
    assert sorted(statefun.fetch_all("out", len(FAILURES))) == sorted(f"{id} 1" for id in FAILURES)
    assert statefun.fetch("out") is None


@pytest.mark.parametrize("id, says", [
    ("status-500", "500"),
    ("garbage", "not a FromFunction"),
    ("wrong-type", "text/html"),
    ("wrong-state-type", "io.statefun.types/string"),
    ("unknown-state", "nobody registered this"),
])
def test_the_log_says_once_who_fails_and_why(statefun, id, says):
    visit(statefun, id)
    wait_for(lambda: statefun.metric("statefun_functions_remote_invocation_failures_total") >= 4)
    lines = [line for line in statefun.log().splitlines() if f"example/person/{id}" in line]
    assert len(lines) == 1 and says in lines[0]


@pytest.mark.parametrize("id, target", [
    ("unknown-function", "nobody/here/1"),
    ("unknown-egress", "nobody/here"),
    ("no-target", ""),
])
def test_what_can_never_be_delivered_is_set_aside(statefun, id, target):
    visit(statefun, id)
    visit(statefun, "good")
    assert statefun.fetch_all("out", 1) == ["good 1"]
    wait_for(lambda: statefun.metric("statefun_dead_letters") == 1, what="a dead letter")
    lines = [line for line in statefun.log().splitlines() if "set aside" in line]
    assert len(lines) == 1 and f"example/person/{id}" in lines[0] and target in lines[0]
    statefun.kill()
    statefun.start()
    assert statefun.metric("statefun_dead_letters") == 1
