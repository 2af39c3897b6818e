"""statefun deadletter: what was set aside is seen, sent again exactly once, or thrown away; live and stopped."""
import base64
import json
import random
import socket
import subprocess
import threading
from pathlib import Path

import pytest
from statefun_process import MODULE, PROGRAM, Background, ask, wait_for

STRAYS = """
---
kind: io.statefun.endpoints.v2/http
spec:
  functions: stray/*
  urlPathTemplate: {url}
"""


@pytest.fixture
def strays(make_function):
    return make_function(Path(__file__).parent / "strays.py")


@pytest.fixture
def statefun(strays, make_statefun):
    return make_statefun(MODULE.format(url=strays.url)).start()


def deadletter(statefun, *arguments, code=0):
    return statefun.command("deadletter", *arguments, code=code)


def send(statefun, *strays):
    for stray in strays:
        status, _, body = statefun.post("/in/example/sender/s", body=stray.encode(), type="text/plain")
        assert status == 202, body
    wait_for(lambda: len(statefun.letters()) == len(strays), what="the dead letters")


def serve_strays(statefun, strays):
    statefun.module.write_text((MODULE + STRAYS).format(url=strays.url))


def test_what_was_set_aside_is_listed_with_all_there_is(statefun):
    send(statefun, "Ada", "Grace", "Ädelgard")
    lines = deadletter(statefun, "list").splitlines()
    assert len(lines) == 3
    assert "unserved" in lines[0] and "stray/target/Ada" in lines[0] and "no endpoint serves" in lines[0]

    letter = statefun.letters()[1]
    assert letter["target"] == "stray/target/Grace" and letter["origin"] == "example/sender/s"
    assert letter["type"] == "io.statefun.types/string" and letter["kind"] == "unserved"
    assert base64.b64decode(letter["value"]["base64"]) == b"\x0a\x05hello"
    shown = deadletter(statefun, "show", letter["id"])
    assert "stray/target/Grace" in shown and "\\x0a\\x05hello" in shown
    assert json.loads(deadletter(statefun, "show", letter["id"], "--json")) == letter


def test_filters_choose(statefun):
    send(statefun, "Ada", "Grace", "Alan")
    all_of_them = statefun.letters()
    ids = [letter["id"] for letter in all_of_them]
    assert [letter["target"] for letter in statefun.letters("--target", "stray/target/Grace")] == ["stray/target/Grace"]
    assert statefun.letters("--target", "stray/target") == all_of_them
    assert statefun.letters("--target", "stray/tar") == []
    assert statefun.letters("--kind", "unserved") == all_of_them
    assert statefun.letters("--kind", "refused") == []
    assert statefun.letters("--ingress", "a/b") == [] == statefun.letters("--egress", "a/b")
    assert statefun.letters("--from", ids[1]) == all_of_them[1:]
    assert statefun.letters("--to", ids[1]) == all_of_them[:2]
    assert statefun.letters("--since", all_of_them[0]["time"], "--until", all_of_them[2]["time"]) == all_of_them
    assert statefun.letters("--until", "2020-01-01T00:00:00Z") == []
    assert len(deadletter(statefun, "list", "--limit", "2").splitlines()) == 2


def test_a_letter_is_replayed_once_when_its_target_is_served(strays, statefun):
    send(statefun, "Ada", "Grace")
    said = deadletter(statefun, "replay", "--all", code=1)
    assert "replayed: 0" in said and said.count("still no endpoint serves stray/target") == 2

    statefun.stop()
    serve_strays(statefun, strays)
    statefun.start()
    grace = statefun.letters()[1]["id"]
    assert "replayed: 1" in deadletter(statefun, "replay", grace)
    assert "no dead letter" in deadletter(statefun, "replay", grace, code=1)
    assert statefun.fetch_all("out", 1) == ["Grace hello s"]
    assert "replayed: 1" in deadletter(statefun, "replay", "--kind", "unserved")
    assert statefun.fetch_all("out", 1) == ["Ada hello s"]
    statefun.stop()
    statefun.start()
    assert statefun.fetch("out") is None
    assert statefun.letters() == [] and statefun.metric("statefun_dead_letters") == 0


def test_a_stopped_data_directory_is_read_and_written(strays, statefun):
    send(statefun, "Ada", "Grace", "Alan")
    live = statefun.letters()
    statefun.stop()
    assert statefun.letters() == live
    assert "discarded: 1" in deadletter(statefun, "discard", live[0]["id"])
    assert "no dead letter" in deadletter(statefun, "show", live[0]["id"], code=1)
    assert "replayed: 2" in deadletter(statefun, "replay", "--all")
    assert statefun.letters() == []
    serve_strays(statefun, strays)
    statefun.start()
    assert sorted(statefun.fetch_all("out", 2)) == ["Alan hello s", "Grace hello s"]
    assert statefun.fetch("out") is None


def test_no_kill_makes_a_replay_count_twice_or_not_at_all(strays, statefun):
    names = [f"stray-{i}" for i in range(120)]
    send(statefun, *names)
    statefun.stop()
    serve_strays(statefun, strays)
    generator = random.Random(4711)

    def replay():
        subprocess.run([PROGRAM, "deadletter", "replay", "--all", "--limit", "10", "--data", statefun.data],
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60)
    for _ in range(8):
        statefun.start()
        replays = [Background(replay) for _ in range(3)]
        threading.Event().wait(0.2 * generator.random())
        statefun.kill()
        for thread in replays:
            thread.finish()
    statefun.start()
    deadletter(statefun, "replay", "--all")
    assert sorted(statefun.fetch_all("out", 120)) == sorted(f"{name} hello s" for name in names)
    assert statefun.fetch("out") is None and statefun.letters() == []


def test_more_letters_than_a_page_holds(statefun):
    names = [f"stray-{i:04}" for i in range(620)]
    body = b"".join(b"POST /in/example/sender/s HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n"
                    b"Content-Length: %d\r\n\r\n%s" % (len(name), name.encode()) for name in names)
    host, port = statefun.listeners["io.statefun.playground/ingress"].rsplit(":", 1)
    with socket.create_connection((host, int(port)), 30) as connection:
        connection.sendall(body)
        answers = b""
        while answers.count(b"HTTP/1.1 202") < len(names):
            piece = connection.recv(65536)
            assert piece, answers[-200:]
            answers += piece
    wait_for(lambda: len(statefun.letters()) == len(names), what="the dead letters")
    assert [letter["target"][-10:] for letter in statefun.letters()] == names
    assert "discarded: 600" in deadletter(statefun, "discard", "--all", "--limit", "600")
    assert "discarded: 20" in deadletter(statefun, "discard", "--all")
    assert statefun.metric("statefun_dead_letters") == 0


WRONG = [
    (["replay"], "expected ids, filters, or --all"),
    (["discard"], "expected ids, filters, or --all"),
    (["show"], "expected the id of a dead letter"),
    (["list", "1-2-3"], "only show, replay and discard take ids"),
    (["show", "1-2"], "such as 12-0-3, found '1-2'"),
    (["show", "1-2-3-"], "such as 12-0-3, found '1-2-3-'"),
    (["show", "1-70000-3"], "such as 12-0-3"),
    (["list", "--kind", "odd"], "kind: expected one of unknown, invalid-record"),
    (["list", "--since", "yesterday"], "since: expected a time such as"),
    (["list", "--from", "x"], "from: expected the id"),
    (["list", "--limit", "0"], "--limit: expected a number from 1"),
    (["list", "--frm", "x"], "there is no flag '--frm'"),
    (["list", "--from"], "--from needs a value"),
    (["empty"], "found 'empty'"),
    ([], "expected list, show, replay, discard or export"),
]


def test_what_is_wrong_with_the_command_is_said(statefun):
    for arguments, says in WRONG:
        assert says in deadletter(statefun, *arguments, code=2)
    statefun.stop()
    for arguments, says in WRONG:
        assert says in deadletter(statefun, *arguments, code=2)


def test_a_directory_that_is_none_is_said_and_not_made(tmp_path):
    result = subprocess.run([PROGRAM, "deadletter", "list", "--data", tmp_path / "none"], capture_output=True,
                            text=True, timeout=30)
    assert result.returncode == 1 and "there is no data directory" in result.stderr
    assert not (tmp_path / "none").exists()


def test_the_admin_listener_serves_dead_letters(statefun):
    send(statefun, "Ada", "Grace")
    admin = statefun.listeners["admin"]

    def request(method, path):
        status, _, body = ask(admin, method, path)
        return status, json.loads(body)
    status, page = request("GET", "/deadletters?limit=1")
    assert status == 200 and len(page["letters"]) == 1
    first = page["letters"][0]["id"]
    status, rest = request("GET", f"/deadletters?from={page['next']}&target=stray%2Ftarget")
    assert status == 200 and len(rest["letters"]) == 1 and rest["next"] is None
    assert request("GET", f"/deadletters/{first}") == (200, page["letters"][0])
    status, answer = request("POST", f"/deadletters/{first}/replay")
    assert status == 409 and "still no endpoint" in answer["left"][0]["reason"]
    assert request("DELETE", f"/deadletters/{first}")[1]["done"] == 1
    assert request("DELETE", f"/deadletters/{first}")[0] == 404
    assert request("GET", f"/deadletters/{first}")[0] == 404
    assert request("GET", "/deadletters/nonsense")[0] == 404
    status, answer = request("POST", "/deadletters/discard")
    assert status == 400 and "all=true" in answer["error"]
    for query in ("limit=0", "limit=501", "kind=x", "colour=red", "target=%zz", "all=1"):
        assert request("GET", f"/deadletters?{query}")[0] == 400, query
    assert request("PUT", "/deadletters")[0] == 405
    assert request("POST", "/deadletters/discard?all=true")[1]["done"] == 1


def test_a_page_in_a_browser_cannot_write(statefun):
    for method, path in (("POST", "/deadletters/discard?all=true"),
                         ("POST", "/addresses/resume?all=true"),
                         ("PUT", "/state/example/person/Ada/note")):
        status, _, body = ask(statefun.listeners["admin"], method, path,
                              headers={"Origin": "http://example.org"})
        assert status == 403 and b"Origin" in body


def test_who_has_no_token_sees_and_changes_nothing(strays, make_statefun, monkeypatch):
    monkeypatch.setenv("STATEFUN_ADMIN_TOKEN", "a-secret-of-some-length")
    statefun = make_statefun(MODULE.format(url=strays.url)).start()
    admin = statefun.listeners["admin"]
    for method, path in (("POST", "/deadletters/discard?all=true"), ("GET", "/deadletters"),
                         ("POST", "/addresses/resume?all=true"), ("GET", "/addresses/parked")):
        status, _, body = ask(admin, method, path)
        assert status == 401 and b"statefun.admin.token" in body and b"a-secret" not in body
    command = [PROGRAM, "deadletter", "list", "--data", statefun.data]
    assert subprocess.run(command, capture_output=True, timeout=30).returncode == 0
    monkeypatch.setenv("STATEFUN_ADMIN_TOKEN", "another-secret-of-length")
    result = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert result.returncode == 2 and "the token is wrong or missing" in result.stderr


def test_a_listener_that_does_not_answer_is_said(tmp_path):
    result = subprocess.run([PROGRAM, "deadletter", "list", "--at", f"unix:{tmp_path}/nobody.sock"],
                            capture_output=True, text=True, timeout=30)
    assert result.returncode == 1 and "nobody.sock" in result.stderr
