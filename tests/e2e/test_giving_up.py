"""`failures` of an endpoint: a message that its function fails on is set aside, or its address parked; no other notices."""
import json
import socket
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
    call: 1s
  failures: {failures}
""" + PLAYGROUND
DEAD_LETTER = "{attempts: 2, then: deadLetter}"
PARK = "{attempts: 3, then: park}"


@pytest.fixture
def picky(make_function):
    return make_function(Path(__file__).parent / "picky.py")


@pytest.fixture
def make(picky, make_statefun):
    def start(failures):
        return make_statefun(MODULE.format(url=picky.url, failures=failures)).start("--retry-backoff-max", "100ms")
    return start


def send(statefun, id, *texts):
    for text in texts:
        status, _, body = statefun.post(f"/in/example/person/{id}", body=text.encode(), type="text/plain")
        assert status == 202, body


def parked(statefun):
    return [json.loads(line)["address"] for line in statefun.command("address", "list", "--json").splitlines()]


def behave(picky):
    assert ask(f"127.0.0.1:{picky.port}", "POST", "/behave")[0] == 200


def test_what_fails_is_found_in_its_batch_and_the_rest_counts_once_and_in_order(picky, make):
    statefun = make(DEAD_LETTER)
    poison = ["poison-500", "poison-400", "poison-garbage", "poison-hang"]
    good = [f"m{i}" for i in range(40)]
    for i, text in enumerate(good):
        if i % 10 == 4:
            send(statefun, "Ada", poison[i // 10])
        send(statefun, "Ada", text)
    expected = [f"Ada {i + 1} {text}" for i, text in enumerate(good)]
    assert statefun.fetch_all("out", len(expected), seconds=60) == expected

    wait_for(lambda: len(statefun.letters()) == 4, what="four dead letters")
    found = statefun.letters()
    assert [letter["kind"] for letter in found] == ["failed"] * 4
    assert [letter["target"] for letter in found] == ["example/person/Ada"] * 4
    assert [letter["value"]["text"][2:] for letter in found] == poison
    assert "its function has failed on it 2 times, last: the function answers HTTP status 500" in found[0]["cause"]

    behave(picky)
    assert "replayed: 4" in statefun.command("deadletter", "replay", "--kind", "failed")
    assert statefun.fetch_all("out", 4) == [f"Ada {41 + i} {text}" for i, text in enumerate(poison)]


def test_an_endpoint_that_is_down_costs_no_message(picky, make):
    statefun = make("{attempts: 1, then: deadLetter}")
    picky.kill()
    send(statefun, "Ada", "hello")
    failures = "statefun_functions_remote_invocation_failures_total"
    wait_for(lambda: statefun.metric(failures) >= 5, what="five failures")
    picky.start()
    assert statefun.fetch_all("out", 1) == ["Ada 1 hello"]
    assert statefun.letters() == []


def test_a_parked_address_keeps_its_messages_over_a_kill_until_it_is_resumed(picky, make):
    statefun = make(PARK)
    send(statefun, "Ada", "one")
    assert statefun.fetch_all("out", 1) == ["Ada 1 one"]
    send(statefun, "Ada", "poison-500", "two")
    send(statefun, "Grace", "hello")
    assert statefun.fetch_all("out", 1) == ["Grace 1 hello"]
    wait_for(lambda: parked(statefun) == ["example/person/Ada"], what="that Ada is parked")
    assert statefun.metric("statefun_parked_addresses") == 1
    assert "HTTP status 500" in statefun.command("address", "list")
    assert "its address is parked" in statefun.log()

    statefun.kill()
    statefun.start()
    assert statefun.metric("statefun_parked_addresses") == 1
    send(statefun, "Ada", "three")
    send(statefun, "Grace", "hello")
    assert statefun.fetch_all("out", 1) == ["Grace 2 hello"]
    assert "resumed: 0" in statefun.command("address", "resume", "example/person/Alan")

    # It fails as before, and is parked again.
    assert "resumed: 1" in statefun.command("address", "resume", "example/person/Ada")
    wait_for(lambda: parked(statefun) == ["example/person/Ada"], what="that Ada is parked again")
    behave(picky)
    assert "resumed: 1" in statefun.command("address", "resume", "example/person")
    assert statefun.fetch_all("out", 3) == ["Ada 2 poison-500", "Ada 3 two", "Ada 4 three"]
    assert parked(statefun) == [] and statefun.letters() == []


def test_a_stopped_directory_is_listed_and_resumed(picky, make):
    statefun = make(PARK)
    send(statefun, "Ada", "poison-500")
    send(statefun, "Grace", "poison-500")
    wait_for(lambda: len(parked(statefun)) == 2, what="that both are parked")
    assert statefun.stop() == 0
    assert sorted(parked(statefun)) == ["example/person/Ada", "example/person/Grace"]
    assert "resumed: 1" in statefun.command("address", "resume", "example/person/Grace")
    assert "resumed: 1" in statefun.command("address", "resume", "--all")
    behave(picky)
    statefun.start()
    assert sorted(statefun.fetch_all("out", 2)) == ["Ada 1 poison-500", "Grace 1 poison-500"]


def test_a_parked_address_resumes_when_its_endpoint_is_back_if_told_so(picky, make):
    statefun = make("{attempts: 2, then: park, resume: recovery}")
    send(statefun, "Ada", "poison-500")
    wait_for(lambda: statefun.metric("statefun_parked_addresses") == 1, what="that Ada is parked")
    picky.kill()
    failures = "statefun_functions_remote_invocation_failures_total"
    before = statefun.metric(failures)
    send(statefun, "Grace", "hello")
    wait_for(lambda: statefun.metric(failures) > before + 1, what="failures")
    picky.command.append("--behave")
    picky.start()
    assert sorted(statefun.fetch_all("out", 2)) == ["Ada 1 poison-500", "Grace 1 hello"]
    assert statefun.metric("statefun_parked_addresses") == 0


def test_more_parked_addresses_than_a_page_holds(make):
    statefun = make("{attempts: 1, then: park}")
    ids = [f"id-{i:03}" for i in range(510)]
    requests = b"".join(b"POST /in/example/person/%s HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n"
                        b"Content-Length: 10\r\n\r\npoison-500" % id.encode() for id in ids)
    host, port = statefun.listeners["io.statefun.playground/ingress"].rsplit(":", 1)
    with socket.create_connection((host, int(port)), 60) as connection:
        connection.sendall(requests)
        answers = b""
        while answers.count(b"HTTP/1.1 202") < len(ids):
            piece = connection.recv(65536)
            assert piece, answers[-200:]
            answers += piece
    wait_for(lambda: len(parked(statefun)) == len(ids), 60, "that all are parked")
    assert sorted(parked(statefun)) == [f"example/person/{id}" for id in ids]
    assert statefun.stop() == 0
    assert "resumed: 510" in statefun.command("address", "resume", "--all")
    assert parked(statefun) == []


def test_requests_about_addresses(make):
    statefun = make(PARK)
    admin = statefun.listeners["admin"]

    def request(method, path):
        status, _, body = ask(admin, method, path)
        return status, json.loads(body)
    assert request("GET", "/addresses/parked") == (200, {"addresses": [], "next": None})
    assert request("POST", "/addresses/resume?all=true") == (200, {"done": 0})
    for method, path in (("POST", "/addresses/resume"), ("GET", "/addresses/parked?from=6d"),
                         ("GET", "/addresses/parked?from=xy"), ("GET", "/addresses/parked?name=x"),
                         ("GET", "/addresses/parked?all=true"), ("POST", "/addresses/resume?name=%ff%2Fb")):
        assert request(method, path)[0] == 400, path
    assert request("GET", "/addresses")[0] == 405 and request("GET", "/addresses/resume")[0] == 405
