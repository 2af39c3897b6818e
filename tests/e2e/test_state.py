"""State from outside: seen, put, deleted over HTTP, while functions in the official Python SDK use it."""
import json
import socket
import struct

from statefun_process import MODULE, ask, wait_for
from test_greeter_http import again, first, visit

INT = "statefun/io.statefun.types/int"
TOKEN = "a-token-of-some-length"


def int_bytes(number):
    return b"\x0d" + struct.pack("<i", number) if number else b""


def state(statefun, method, path, body=None, **headers):
    headers = {key.replace("_", "-"): value for key, value in headers.items()}
    return ask(statefun.listeners["admin"], method, f"/state/{path}", body, headers, timeout=40)


def put_visits(statefun, name, number, query=""):
    status, _, body = state(statefun, "PUT", f"example/person/{name}/visits{query}", int_bytes(number),
                            Content_Type=INT)
    assert status == 200, body


def visits(statefun, name):
    status, _, body = state(statefun, "GET", f"example/person/{name}/visits", Accept="application/json")
    return json.loads(body) if status == 200 else None


def test_a_function_sees_what_was_put_before_it_ever_ran(statefun):
    put_visits(statefun, "Ada", 41)
    visit(statefun, "Ada")
    assert statefun.fetch_all("greetings", 1) == [again("Ada", 42)]
    assert visits(statefun, "Ada") == 42


def test_a_function_sees_what_was_put_between_its_messages(statefun):
    visit(statefun, "Ada")
    statefun.fetch_all("greetings", 1)
    put_visits(statefun, "Ada", 99)
    assert visits(statefun, "Ada") == 99
    visit(statefun, "Ada")
    assert statefun.fetch_all("greetings", 1) == [again("Ada", 100)]


def test_a_function_begins_anew_after_a_delete(statefun):
    visit(statefun, "Ada")
    statefun.fetch_all("greetings", 1)
    assert state(statefun, "DELETE", "example/person/Ada/visits")[0] == 200
    assert visits(statefun, "Ada") is None
    assert state(statefun, "DELETE", "example/person/Ada/visits")[0] == 404
    visit(statefun, "Ada")
    assert statefun.fetch_all("greetings", 1) == [first("Ada")]


def test_what_was_answered_is_there_after_a_kill(statefun):
    for number in range(1, 6):
        put_visits(statefun, "Ada", number)
        statefun.kill()
        statefun.start()
        assert visits(statefun, "Ada") == number
    assert state(statefun, "DELETE", "example/person/Ada/visits")[0] == 200
    statefun.kill()
    statefun.start()
    assert visits(statefun, "Ada") is None


def test_values_come_as_they_are_asked_for(statefun):
    put_visits(statefun, "Ada", 3)
    status, headers, body = state(statefun, "GET", "example/person/Ada/visits")
    assert (status, headers["Content-Type"], body) == (200, INT, int_bytes(3))
    status, headers, body = state(statefun, "GET", "example/person/Ada/visits", Accept="text/plain")
    assert (headers["Content-Type"], body) == ("text/plain; charset=UTF-8", b"3")

    assert state(statefun, "PUT", "example/person/Ada/note", "grüße".encode(),
                 Content_Type="text/plain; charset=UTF-8")[0] == 200
    status, headers, body = state(statefun, "GET", "example/person/Ada/note")
    assert (headers["Content-Type"], body.decode()) == ("text/plain; charset=UTF-8", "grüße")
    status, headers, body = state(statefun, "GET", "example/person/Ada/note", Accept="application/json")
    assert (headers["Content-Type"], json.loads(body)) == ("application/json", "grüße")
    _, headers, body = state(statefun, "GET", "example/person/Ada/note", Accept="application/octet-stream")
    assert (headers["Content-Type"], body) == ("statefun/io.statefun.types/string",
                                               b"\x0a\x07" + "grüße".encode())

    assert state(statefun, "PUT", "example/person/Ada/own", b"\0\1", Content_Type="statefun/a/b")[0] == 200
    _, headers, body = state(statefun, "GET", "example/person/Ada/own", Accept="application/json")
    assert (headers["Content-Type"], body) == ("statefun/a/b", b"\0\1")
    assert state(statefun, "PUT", "example/person/Ada/own", b"\2", Content_Type="application/octet-stream")[0] == 200
    assert state(statefun, "GET", "example/person/Ada/own")[2] == b"\2"

    status, _, body = state(statefun, "GET", "example/person/Ada")
    found = {one["state"]: (one["typename"], one["size"]) for one in json.loads(body)["states"]}
    assert found == {"visits": ("io.statefun.types/int", 5), "note": ("io.statefun.types/string", 9),
                     "own": ("a/b", 1)}
    assert json.loads(state(statefun, "GET", "example/person/nobody")[2])["states"] == []


def test_ids_and_names_are_percent_decoded(statefun):
    put_visits(statefun, "J%C3%B6rg%2F%E2%98%83", 6)
    visit(statefun, "J%C3%B6rg%2F%E2%98%83")
    assert statefun.fetch_all("greetings", 1) == [again("Jörg/☃", 7)]


def test_requests_that_make_no_sense_are_told_so(statefun):
    visit(statefun, "Ada")
    statefun.fetch_all("greetings", 1)

    def put(path, body=b"x", type=INT):
        headers = {"Content_Type": type} if type else {}
        status, _, answer = state(statefun, "PUT", path, body, **headers)
        return status, answer.decode()
    status, answer = put("example/person/Ada/visits", b"three", "text/plain")
    assert status == 409 and "io.statefun.types/int" in answer
    assert put("nobody/here/1/x", int_bytes(1))[0] == 404
    assert put("example/person/%ff/visits")[0] == 400
    assert put("example/person/Ada/" + "x" * 1025)[0] == 400
    assert put("example/person/" + "x" * 5000 + "/visits")[0] == 400
    assert put("example/person/Ada/visits", b"\xff", "text/plain")[0] == 400
    status, answer = put("example/person/Ada/visits", b"\x0d\1")
    assert status == 400 and "canonical" in answer
    assert put("example/person/Ada/visits", type=None)[0] == 400
    assert put("example/person/Ada/visits", type="statefun/no-name")[0] == 400
    assert put("example/person/Ada/visits", type="application/json")[0] == 415
    assert put("example/person/Ada/other", type="application/octet-stream")[0] == 409
    assert put("example/person/Ada")[0] == 405
    assert state(statefun, "PATCH", "example/person/Ada/visits")[0] == 405
    assert state(statefun, "GET", "example/person")[0] == 404
    assert visits(statefun, "Ada") == 1


def test_a_value_that_is_too_long_is_refused(greeter, make_statefun):
    statefun = make_statefun(MODULE.format(url=greeter.url)).start("--http-body-max", "1KB")
    assert state(statefun, "PUT", "example/person/Ada/note", b"x" * 1025, Content_Type="text/plain")[0] == 413


def test_what_makes_a_function_fail_can_be_mended_while_it_does(own_greeter, make_statefun):
    statefun = make_statefun(MODULE.format(url=own_greeter.url)).start()
    visit(statefun, "Ada")
    statefun.fetch_all("greetings", 1)
    own_greeter.kill()
    visit(statefun, "Ada")
    put_visits(statefun, "Ada", 10, "?ahead")
    put_visits(statefun, "Grace", 1)  # for whom nothing waits
    own_greeter.start()
    assert statefun.fetch_all("greetings", 1) == [again("Ada", 11)]


def test_with_a_token_state_is_for_those_who_have_it(greeter, make_statefun, monkeypatch):
    monkeypatch.setenv("STATEFUN_ADMIN_TOKEN", TOKEN)
    statefun = make_statefun(MODULE.format(url=greeter.url)).start()
    for wrong in ({}, {"Authorization": "Bearer " + TOKEN[:-1]}, {"Authorization": f"Bearer {TOKEN}x"},
                  {"Authorization": f"Basic {TOKEN}"}):
        for method, path in (("GET", "example/person/Ada/visits"), ("PUT", "example/person/Ada/visits"),
                             ("DELETE", "example/person/Ada/visits"), ("GET", "example/person/Ada")):
            status, headers, _ = state(statefun, method, path, **wrong)
            assert (status, headers["WWW-Authenticate"]) == (401, "Bearer")
        assert ask(statefun.listeners["admin"], "GET", "/state", headers=wrong)[0] == 401
    assert statefun.get("/metrics")[0] == 200
    assert state(statefun, "PUT", "example/person/Ada/visits", int_bytes(1), Content_Type=INT,
                 Authorization=f"Bearer {TOKEN}")[0] == 200
    assert TOKEN not in statefun.log()


def test_where_others_reach_the_listener_there_is_no_state_without_a_token(greeter, make_statefun):
    statefun = make_statefun(MODULE.format(url=greeter.url)).start("--admin", "0.0.0.0:0")
    statefun.listeners["admin"] = statefun.listeners["admin"].replace("0.0.0.0", "127.0.0.1")
    status, _, body = state(statefun, "GET", "example/person/Ada/visits")
    assert status == 403 and b"statefun.admin.token" in body
    assert statefun.get("/healthz")[0] == 200
    assert "to itself" in statefun.log()


def test_a_page_in_a_browser_does_not_get_in_by_a_name_of_its_own(statefun):
    assert state(statefun, "GET", "example/person/Ada", Host="evil.example:8081")[0] == 403
    assert state(statefun, "GET", "example/person/Ada", Host="localhost:8081")[0] == 200


def test_a_client_that_goes_before_its_answer_harms_nobody(own_greeter, make_statefun):
    statefun = make_statefun(MODULE.format(url=own_greeter.url)).start()
    visit(statefun, "Ada")
    statefun.fetch_all("greetings", 1)
    own_greeter.kill()
    visit(statefun, "Ada")
    host, port = statefun.listeners["admin"].split(":")
    for _ in range(5):
        with socket.create_connection((host, int(port))) as client:
            client.sendall(b"PUT /state/example/person/Ada/visits HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                           b"Content-Type: " + INT.encode() + b"\r\nContent-Length: 5\r\n\r\n" + int_bytes(7))
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    own_greeter.start()
    wait_for(lambda: visits(statefun, "Ada") == 7, what="the put that waited")
