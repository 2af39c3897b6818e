"""What a transport's options do, and what a gateway may do to an answer."""
import json
import socket
from pathlib import Path

import pytest
from function_process import GREETER
from statefun_process import wait_for

GATEWAY = Path(__file__).parent / "gateway.py"
MODULE = """
kind: io.statefun.endpoints.v2/http
spec:
  functions: example/person
  urlPathTemplate: {url}
{options}
---
kind: io.statefun.endpoints.v2/http
spec:
  functions: example/greeter
  urlPathTemplate: {greeter}
---
kind: io.statefun.playground.v1/ingress
spec:
  port: 0
---
kind: io.statefun.playground.v1/egress
spec:
  port: 0
  topics: [greetings]
"""
ASYNC = "  transport: {{type: io.statefun.transports.v1/async, {}}}"
OKHTTP = "  transport: {{type: io.statefun.transports.v1/okhttp, timeouts: {{{}}}}}"
FAILURES = "statefun_functions_remote_invocation_failures_total"


@pytest.fixture
def greeter(make_function):
    return make_function(GREETER)


@pytest.fixture
def make_gateway(make_function, greeter, tmp_path):
    def make(*flags):
        gateway = make_function(GATEWAY, "--to", greeter.url, "--seen", str(tmp_path / "seen"), *flags)
        gateway.seen = lambda: [json.loads(line) for line in (tmp_path / "seen").read_text().splitlines()]
        return gateway
    return make


@pytest.fixture
def run(make_statefun, greeter):
    """A statefun that calls the person at a URL, with these lines in the endpoint's spec."""
    def run(url, options="", *flags):
        return make_statefun(MODULE.format(url=url, greeter=greeter.url, options=options)).start(*flags)
    return run


def visit(statefun, *names):
    for name in names:
        assert statefun.post(f"/in/example/person/{name}", body=b"hello")[0] == 202


def failures_say(statefun, says):
    """True if what failed first is said to have failed for that."""
    wait_for(lambda: statefun.metric(FAILURES) >= 1, what="a failure")
    return wait_for(lambda: [line for line in statefun.log().splitlines() if "a function fails" in line],
                    what="a line of the log")[0].count(says) == 1


@pytest.mark.parametrize("options, says", [
    (ASYNC.format("call: 200ms"), "no complete response within 200 ms"),
    (ASYNC.format("call: 1h, timeouts: {call: 200ms}"), "no complete response within 200 ms"),
    (OKHTTP.format("call: 200ms, connect: 100ms, read: 200ms, write: 100ms"), "within 200 ms"),
    (OKHTTP.format("read: 200ms"), "the server has sent nothing for 200 ms"),
])
def test_a_function_that_does_not_answer_in_time_has_failed(make_gateway, run, options, says):
    statefun = run(make_gateway("--wait", "3600").url, options)
    visit(statefun, "Ada")
    assert failures_say(statefun, says)


@pytest.mark.parametrize("options", [ASYNC.format("connect: 200ms"), OKHTTP.format("connect: 200ms")])
def test_a_connection_that_is_not_made_in_time_has_failed(run, options):
    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for waiting in (first, second):  # more than it takes: the next one hears nothing
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        statefun = run(f"http://127.0.0.1:{full.getsockname()[1]}/", options)
        visit(statefun, "Ada")
        assert failures_say(statefun, "Connection timed out")


def test_an_answer_longer_than_the_payload_limit_is_refused(greeter, run):
    statefun = run(greeter.url, ASYNC.format("payload_max_bytes: 10"))
    visit(statefun, "Ada")
    assert failures_say(statefun, "the limit is 10")


def test_a_pool_has_no_more_connections_than_its_size(make_gateway, run):
    gateway = make_gateway("--wait", "0.05")
    statefun = run(gateway.url, ASYNC.format("pool_size: 2"), "--workers", "1")
    visit(statefun, *(f"name-{i}" for i in range(20)))
    assert len(statefun.fetch_all("greetings", 20)) == 20
    assert max(line["at_once"] for line in gateway.seen()) <= 2


def test_a_connection_is_given_up_after_its_time(greeter, run):
    """pool_ttl and a jitter of up to three seconds; by default it would be fifteen and more."""
    statefun = run(greeter.url, ASYNC.format("pool_ttl: 10ms"))
    visit(statefun, "Ada")
    statefun.fetch_all("greetings", 1)
    wait_for(lambda: statefun.metric("statefun_endpoint_connections", name="person") == 0, seconds=12)


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_compressed_answers_are_understood(make_gateway, run, encoding):
    gateway = make_gateway("--encoding", encoding)
    statefun = run(gateway.url)
    visit(statefun, "Ada")
    assert statefun.fetch_all("greetings", 1) == ["Welcome, Ada: I see you for the first time."]
    assert gateway.seen()[0]["headers"]["Accept-Encoding"] == "gzip,deflate"
    assert statefun.metric(FAILURES) == 0


def test_a_compressed_answer_may_not_grow_beyond_the_payload_limit(make_gateway, run):
    statefun = run(make_gateway("--encoding", "bomb").url)
    visit(statefun, "Ada")
    assert failures_say(statefun, "a response of more than 33554432 bytes when decompressed")


@pytest.mark.parametrize("after", ["2", "date"])
def test_a_busy_server_is_left_alone_for_as_long_as_it_asks(make_gateway, run, after):
    gateway = make_gateway("--busy", after)
    statefun = run(gateway.url)
    visit(statefun, "Ada")
    assert statefun.fetch_all("greetings", 1) == ["Welcome, Ada: I see you for the first time."]
    first, second = [line["time"] for line in gateway.seen()][:2]
    assert second - first >= 0.9  # a date has whole seconds
