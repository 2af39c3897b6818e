"""What a transport's options do, and what a gateway may do to an answer."""
import json
import socket
import subprocess
import time

import pytest
from function_process import GATEWAY
from statefun_process import GREETER_AND_PLAYGROUND, PROGRAM, wait_for

MODULE = """
kind: io.statefun.endpoints.v2/http
spec:
  functions: example/person
  urlPathTemplate: {url}
{options}
""" + GREETER_AND_PLAYGROUND
ASYNC = "  transport: {{type: io.statefun.transports.v1/async, {}}}"
OKHTTP = "  transport: {{type: io.statefun.transports.v1/okhttp, timeouts: {{{}}}}}"
FAILURES = "statefun_functions_remote_invocation_failures_total"


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
    statefun = run(make_gateway("--encoding", "bomb").url, ASYNC.format("payload_max_bytes: 1000000"))
    visit(statefun, "Ada")
    assert failures_say(statefun, "a response of more than 1000000 bytes when decompressed")


@pytest.mark.parametrize("after", ["2", "date"])
def test_a_busy_server_is_left_alone_for_as_long_as_it_asks(make_gateway, run, after):
    gateway = make_gateway("--busy", after)
    statefun = run(gateway.url)
    visit(statefun, "Ada")
    assert statefun.fetch_all("greetings", 1) == ["Welcome, Ada: I see you for the first time."]
    first, second = [line["time"] for line in gateway.seen()][:2]
    assert second - first >= 0.9  # a date has whole seconds


def test_headers_are_sent_from_text_and_environment(make_gateway, run, monkeypatch):
    monkeypatch.setenv("GATEWAY_KEY", "s3cr3t")
    gateway = make_gateway()
    statefun = run(gateway.url, "  headers: {X-Tenant: blue, X-Api-Key: {env: GATEWAY_KEY}}")
    visit(statefun, "Ada")
    statefun.fetch_all("greetings", 1)
    headers = gateway.seen()[0]["headers"]
    assert (headers["x-tenant"], headers["x-api-key"]) == ("blue", "s3cr3t")
    assert "s3cr3t" not in statefun.log()


def test_a_bearer_token_is_read_again_when_its_file_changes(make_gateway, run, tmp_path):
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    ours.write_text("first\n")
    theirs.write_text("first")
    statefun = run(make_gateway("--token", str(theirs)).url, f"  bearerToken: {{file: {ours}}}",
                   "--retry-backoff-max", "100ms")
    visit(statefun, "Ada")
    assert len(statefun.fetch_all("greetings", 1)) == 1

    theirs.write_text("second")
    visit(statefun, "Ada")
    assert failures_say(statefun, "the function answers HTTP status 401")
    renewed = tmp_path / "renewed"
    renewed.write_text("second\n")
    renewed.rename(ours)
    assert statefun.fetch_all("greetings", 1) == ["Hello again, Ada: I have seen you 2 times."]
    assert "first" not in statefun.log() and "second\n" not in statefun.log()


def test_a_token_that_is_not_there_is_told_at_the_start(make_statefun, greeter, tmp_path):
    file = tmp_path / "module.yaml"
    file.write_text(MODULE.format(url=greeter.url, greeter=greeter.url,
                                  options="  bearerToken: {file: /nonexistent/token}"))
    for command in ("check", "run"):
        result = subprocess.run([PROGRAM, command, "-m", file], capture_output=True, text=True, timeout=60)
        assert result.returncode == 2
        assert f"{file}:6:" in result.stderr and "/nonexistent/token: No such file or directory" in result.stderr


def test_an_endpoint_gets_no_more_requests_at_once_than_it_wants(make_gateway, run):
    """From all workers together, whichever has the addresses."""
    gateway = make_gateway("--wait", "0.03")
    statefun = run(gateway.url, "  maxInFlightRequests: 3", "--workers", "2")
    names = [f"name-{i}" for i in range(30)]
    visit(statefun, *names)
    greetings = statefun.fetch_all("greetings", 30)
    assert sorted(greetings) == sorted(f"Welcome, {name}: I see you for the first time." for name in names)
    assert max(line["at_once"] for line in gateway.seen()) <= 3
    assert statefun.metric(FAILURES) == 0


def test_an_endpoint_gets_no_more_requests_a_second_than_it_wants(make_gateway, run):
    gateway = make_gateway()
    statefun = run(gateway.url, "  maxRequestsPerSecond: 20", "--workers", "2")
    started = time.time()
    visit(statefun, *(f"name-{i}" for i in range(30)))
    assert len(statefun.fetch_all("greetings", 30)) == 30
    times = [line["time"] for line in gateway.seen()]
    assert len(times) >= 30 and max(times) - started >= (len(times) - 1) / 20 - 0.1


def test_what_waits_for_its_turn_is_not_lost_by_a_kill(make_gateway, run):
    gateway = make_gateway()
    statefun = run(gateway.url, "  maxRequestsPerSecond: 10", "--workers", "2")
    visit(statefun, *(f"name-{i}" for i in range(20)))
    statefun.kill()
    statefun.start()
    assert len(set(statefun.fetch_all("greetings", 20))) == 20
    assert statefun.stop() == 0
