"""Functions behind a gateway that speaks HTTP/2 (Node's), over TLS and without."""
import os
import subprocess
from pathlib import Path

import pytest
from statefun_process import GREETER_AND_PLAYGROUND, PROGRAM

GATEWAY = Path(__file__).parent / "http2_gateway.mjs"
NODE_MAJOR = int(subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout[1:].split(".")[0])
MODULE = """
kind: io.statefun.endpoints.v2/http
spec:
  functions: example/person
  urlPathTemplate: {scheme}://127.0.0.1:{port}/statefun
  transport:
    type: io.statefun.transports.v1/okhttp
    http_version: {version}
""" + GREETER_AND_PLAYGROUND


@pytest.fixture
def make_gateway(make_function, greeter, tmp_path):
    def make(*flags):
        gateway = make_function(GATEWAY, "--to", greeter.url, "--seen", str(tmp_path / "seen"), *map(str, flags),
                                run_by=("node",))
        gateway.seen = lambda: [line.split() for line in (tmp_path / "seen").read_text().splitlines()]
        return gateway
    return make


@pytest.fixture
def make_secure_gateway(make_gateway, authority, monkeypatch):
    """Whom everybody trusts."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.certificate))

    def make(*flags):
        certificate, key = authority.issue("server")
        return make_gateway("--certificate", certificate, "--key", key, *flags)
    return make


def module(gateway, greeter, scheme, version):
    return MODULE.format(scheme=scheme, port=gateway.port, greeter=greeter.url, version=version)


def greet_many(statefun, count=60):
    names = [f"name-{i}" for i in range(count)]
    for name in names:
        assert statefun.post(f"/in/example/person/{name}", body=b"hello")[0] == 202
    greetings = statefun.fetch_all("greetings", count)
    assert sorted(greetings) == sorted(f"Welcome, {name}: I see you for the first time." for name in names)


@pytest.mark.parametrize("flags, version, spoken", [
    ([], "auto", "2.0"),
    ([], "2", "2.0"),
    ([], "1.1", "1.1"),
    (["--without-http2"], "auto", "1.1"),
])
def test_over_tls_the_server_may_choose(make_secure_gateway, greeter, make_statefun, flags, version, spoken):
    gateway = make_secure_gateway(*flags)
    greet_many(make_statefun(module(gateway, greeter, "https", version)).start("--workers", "1"))
    versions, connections = zip(*gateway.seen())
    assert set(versions) == {spoken}
    if spoken == "2.0":
        assert len(set(connections)) == 1


@pytest.mark.parametrize("version, spoken", [("2", "2.0"), ("auto", "1.1")])
def test_without_tls_http2_must_be_asked_for(make_gateway, greeter, make_statefun, version, spoken):
    gateway = make_gateway(*([] if version == "2" else ["--without-http2"]))
    greet_many(make_statefun(module(gateway, greeter, "http", version)).start())
    assert {seen[0] for seen in gateway.seen()} == {spoken}


def test_a_server_that_goes_away_now_and_then_loses_nothing(make_secure_gateway, greeter, make_statefun):
    """What it has not begun with is made on the next connection, and is no failure."""
    gateway = make_secure_gateway("--goaway", 5)
    statefun = make_statefun(module(gateway, greeter, "https", "2")).start("--workers", "1")
    greet_many(statefun)
    assert len({connection for _, connection in gateway.seen()}) >= 6
    if NODE_MAJOR >= 20:  # older ones close the connection at once, with what is under way on it
        assert statefun.metric("statefun_functions_remote_invocation_failures_total") == 0


def test_no_more_streams_are_open_than_a_server_allows(make_gateway, greeter, make_statefun):
    gateway = make_gateway("--streams", 2)
    statefun = make_statefun(module(gateway, greeter, "http", "2")).start()
    greet_many(statefun)
    assert statefun.metric("statefun_functions_remote_invocation_failures_total") == 0


def test_a_server_without_http2_is_named_as_such(make_secure_gateway, greeter, tmp_path):
    file = tmp_path / "module.yaml"
    for scheme, gateway in (("https", make_secure_gateway("--without-http2")), ("http", greeter)):
        file.write_text(module(gateway, greeter, scheme, "2"))
        checked = subprocess.run([PROGRAM, "check", "-m", file, "--connect"], capture_output=True, text=True,
                                 timeout=60, env=os.environ)
        assert checked.returncode == 1
        assert "the server does not speak HTTP/2 here" in checked.stderr
