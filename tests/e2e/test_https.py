"""Functions behind TLS: a gateway in front of the greeter, with certificates made for the test."""
import os
import subprocess

import pytest
from certificates import Authority
from function_process import GATEWAY
from statefun_process import GREETER_AND_PLAYGROUND, PROGRAM, wait_for

MODULE = """
kind: io.statefun.endpoints.v2/http
spec:
  functions: example/person
  urlPathTemplate: {url}
  transport:
    type: io.statefun.transports.v1/async
{options}
""" + GREETER_AND_PLAYGROUND


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("stranger"), "a-stranger")


@pytest.fixture(scope="module")
def client(authority):
    """Certificate and key; the key's password."""
    return *authority.issue("client", "DNS:statefun", password="s3cr3t-sesame"), "s3cr3t-sesame"


@pytest.fixture
def make_gateway(make_function, greeter):
    def make(certificate=None, *flags):
        tls = ["--certificate", certificate[0], "--key", certificate[1]] if certificate else []
        return make_function(GATEWAY, "--to", greeter.url, *map(str, tls), *map(str, flags))
    return make


def module(gateway, greeter, host="127.0.0.1", **options):
    return MODULE.format(url=f"https://{host}:{gateway.port}/statefun", greeter=greeter.url,
                         options="".join(f"    {key}: {value}\n" for key, value in options.items()))


def identity(directory, client):
    certificate, key, password = client
    file = directory / "password"
    file.write_text(password)
    return {"client_cert": certificate, "client_key": key, "client_key_password": file}


def check(directory, text, *flags, **environment):
    file = directory / "checked.yaml"
    file.write_text(text)
    return subprocess.run([PROGRAM, "check", "-m", file, *flags], capture_output=True, text=True, timeout=60,
                          env={**os.environ, **environment})


def greets(statefun):
    assert statefun.post("/in/example/person/Ada", body=b"hello")[0] == 202
    return statefun.fetch_all("greetings", 1) == ["Welcome, Ada: I see you for the first time."]


def test_functions_behind_tls_are_called(authority, greeter, make_gateway, make_statefun, tmp_path):
    gateway = make_gateway(authority.issue("server"))
    text = module(gateway, greeter, trust_cacerts=f"file://{authority.certificate}")
    checked = check(tmp_path, text, "--connect")
    assert checked.returncode == 0 and "endpoint example/person answers" in checked.stdout, checked.stderr
    assert greets(make_statefun(text).start())


def test_the_systems_cas_are_trusted_by_default(authority, greeter, make_gateway, tmp_path):
    gateway = make_gateway(authority.issue("server"))
    text = module(gateway, greeter, host="localhost")
    assert check(tmp_path, text, "--connect", SSL_CERT_FILE=str(authority.certificate)).returncode == 0
    refused = check(tmp_path, text, "--connect")
    assert refused.returncode == 1 and "expected a CA of the system's trust store" in refused.stderr


def test_a_gateway_that_asks_is_told_who_we_are(authority, client, greeter, make_gateway, make_statefun, tmp_path):
    gateway = make_gateway(authority.issue("server"), "--client-ca", authority.certificate)
    text = module(gateway, greeter, trust_cacerts=authority.certificate, **identity(tmp_path, client))
    assert greets(make_statefun(text).start())


@pytest.mark.parametrize("issued, says", [
    ({"days": -1}, "the server's certificate has expired"),
    ({"names": "DNS:elsewhere.example"}, "not for this host: expected 127.0.0.1, found elsewhere.example"),
])
def test_a_gateway_with_a_bad_certificate_is_refused(authority, greeter, make_gateway, tmp_path, issued, says):
    gateway = make_gateway(authority.issue("bad-server", **issued))
    checked = check(tmp_path, module(gateway, greeter, trust_cacerts=authority.certificate), "--connect")
    assert checked.returncode == 1
    assert says in checked.stderr and "checked.yaml:4:14: error: endpoint example/person" in checked.stderr


def test_the_host_may_be_left_unchecked(authority, greeter, make_gateway, tmp_path):
    gateway = make_gateway(authority.issue("other-server", "DNS:elsewhere.example"))
    text = module(gateway, greeter, trust_cacerts=authority.certificate, verify_hostname="false")
    assert check(tmp_path, text, "--connect").returncode == 0


def test_a_gateway_that_asks_in_vain_says_what_it_wants(authority, greeter, make_gateway, tmp_path):
    gateway = make_gateway(authority.issue("server"), "--client-ca", authority.certificate)
    checked = check(tmp_path, module(gateway, greeter, trust_cacerts=authority.certificate), "--connect")
    assert checked.returncode == 1
    assert "asks for a client certificate: expected 'client_cert' and 'client_key'" in checked.stderr


def test_a_server_without_tls_is_named_as_such(greeter, make_gateway, tmp_path):
    checked = check(tmp_path, module(make_gateway(), greeter), "--connect")
    assert checked.returncode == 1 and "the server does not speak TLS on this port" in checked.stderr


def test_what_waits_for_a_gateway_is_done_once_it_is_trusted(authority, stranger, greeter, make_gateway,
                                                             make_statefun):
    """The log tells once of the episode; nothing is lost by it."""
    gateway = make_gateway(stranger.issue("server"))
    statefun = make_statefun(module(gateway, greeter, trust_cacerts=authority.certificate))
    statefun.start("--retry-backoff-max", "100ms")
    assert statefun.post("/in/example/person/Ada", body=b"hello")[0] == 202
    wait_for(lambda: statefun.metric("statefun_functions_remote_invocation_failures_total") >= 4)
    lines = [line for line in statefun.log().splitlines() if "is not trusted" in line]
    assert len(lines) == 1 and str(authority.certificate) in lines[0]

    gateway.kill()
    certificate, key = authority.issue("server")
    gateway.command[gateway.command.index("--certificate") + 1] = str(certificate)
    gateway.command[gateway.command.index("--key") + 1] = str(key)
    gateway.start()
    assert statefun.fetch_all("greetings", 1) == ["Welcome, Ada: I see you for the first time."]


@pytest.mark.parametrize("fault, says", [
    ("wrong password", "the password in"),
    ("no password", "the key is encrypted: expected 'client_key_password'"),
    ("unreadable", "No such file or directory"),
    ("no key", "expected a private key in PEM form, found none"),
    ("no certificate", "expected certificates in PEM form, found none"),
    ("another key", "the key is another one than that of the certificate"),
])
def test_a_file_that_does_not_do_is_named(authority, client, tmp_path, fault, says):
    options, culprit = identity(tmp_path, client), "client_key"
    if fault == "wrong password":
        options["client_key_password"].write_text("hunter2")
    elif fault == "no password":
        del options["client_key_password"]
    elif fault == "unreadable":
        culprit = "trust_cacerts"
        options[culprit] = tmp_path / "missing.pem"
    elif fault == "no key":
        options[culprit] = options["client_cert"]
    elif fault == "no certificate":
        culprit = "client_cert"
        options[culprit] = options["client_key"]
    else:
        options[culprit] = authority.issue("other", "DNS:other")[1]
    text = MODULE.format(url="https://127.0.0.1:1/", greeter="http://127.0.0.1:1/",
                         options="".join(f"    {key}: {value}\n" for key, value in options.items()))
    checked = check(tmp_path, text)
    assert checked.returncode == 2
    line = 8 + list(options).index(culprit)
    assert f"checked.yaml:{line}:" in checked.stderr and f"'{culprit}': {options[culprit]}: " in checked.stderr
    assert says in checked.stderr
    assert "hunter2" not in checked.stderr and "s3cr3t" not in checked.stderr

    started = subprocess.run([PROGRAM, "run", "-m", tmp_path / "checked.yaml", "--data", tmp_path / "data"],
                             capture_output=True, text=True, timeout=60)
    assert started.returncode == 2 and says in started.stderr
