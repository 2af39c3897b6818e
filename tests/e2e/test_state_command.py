"""statefun state: on a running application, and on the data directory of one that is stopped."""
import json
import os
import subprocess
import time

import pytest
from statefun_process import MODULE, PROGRAM, wait_for
from terminal import open_terminal
from test_greeter_http import again, visit

TOKEN = "a-token-of-some-length"
INT = "io.statefun.types/int"


def command(*arguments, input=None, **environment):
    return subprocess.run([PROGRAM, "state", *map(str, arguments)], capture_output=True, text=True, timeout=60,
                          input=input, env={**os.environ, **environment})


def good(*arguments, **more):
    result = command(*arguments, **more)
    assert result.returncode == 0, result.stderr
    return result.stdout


def line(id, value, **more):
    return json.dumps({"namespace": "example", "type": "person", "id": id, "state": "visits", "typename": INT,
                       "value": value, **more}) + "\n"


@pytest.fixture(params=["running", "stopped"])
def place(request, statefun):
    """An application in which Ada has been seen once."""
    visit(statefun, "Ada")
    statefun.fetch_all("greetings", 1)
    if request.param == "stopped":
        assert statefun.stop() == 0
    return statefun


def test_a_state_is_shown_put_and_deleted(place):
    ada = ("--data", place.data, "example/person/Ada")
    assert good("get", *ada, "visits") == "1\n"
    assert good("put", *ada, "visits", 41, "--type", INT) == ""
    assert good("get", *ada, "visits") == "41\n"
    good("put", *ada, "note", "grüße")
    assert good("get", *ada, "note") == "grüße\n"
    assert good("get", *ada, "note", "--raw") == "\n\x07grüße"
    good("put", *ada, "own", "--type", "a/b", input="any\nbytes")
    assert good("get", *ada, "own") == "any\nbytes"
    states = {one["state"]: (one["typename"], one["size"]) for one in json.loads(good("list", *ada))["states"]}
    assert states == {"visits": (INT, 5), "note": ("io.statefun.types/string", 9), "own": ("a/b", 9)}

    good("delete", *ada, "own")
    for action in ("get", "delete"):
        result = command(action, *ada, "own")
        assert result.returncode == 1 and "no value" in result.stderr
    if not place.process:
        place.start()
    visit(place, "Ada")
    assert place.fetch_all("greetings", 1) == [again("Ada", 42)]


def test_a_value_that_its_function_could_not_read_is_refused(place):
    ada = ("--data", place.data, "example/person/Ada")
    result = command("put", *ada, "visits", "many")
    assert result.returncode == 1 and INT in result.stderr
    result = command("put", *ada, "visits", "many", "--type", INT)
    assert result.returncode == 2 and f"VALUE: expected JSON for a value of type {INT}: column" in result.stderr
    result = command("put", *ada, "visits", "many", "--type", INT, "--raw")
    assert result.returncode == 2 and "canonical" in result.stderr
    assert good("get", *ada, "visits") == "1\n"


def test_what_was_exported_makes_another_application_go_on(place, greeter, make_statefun, tmp_path):
    file = tmp_path / "states"
    good("put", "--data", place.data, "example/person/Grace/with/slashes", "visits", 7, "--type", INT)
    good("export", file, "--data", place.data)
    lines = [json.loads(one) for one in file.read_text().splitlines()]
    assert sorted((one["id"], one["value"]) for one in lines) == [("Ada", 1), ("Grace/with/slashes", 7)]

    other = make_statefun(MODULE.format(url=greeter.url), "other")
    assert "2 lines" in command("import", file, "--data", other.data).stderr
    assert sorted(good("export", "--data", other.data).splitlines()) == sorted(file.read_text().splitlines())
    other.start()
    visit(other, "Ada")
    visit(other, "Grace%2Fwith%2Fslashes")
    assert sorted(other.fetch_all("greetings", 2)) == [again("Ada", 2), again("Grace/with/slashes", 8)]


def test_many_lines_are_imported_and_exported(place):
    count = 20000
    text = "".join(line(f"id-{i}", i + 1) for i in range(count))
    good("import", "--data", place.data, input=text)
    exported = good("export", "--data", place.data).splitlines(keepends=True)
    assert sorted(exported) == sorted(json.dumps(json.loads(one), separators=(",", ":")) + "\n"
                                      for one in [*text.splitlines(), line("Ada", 1)])
    assert good("get", "example/person/id-777", "visits", "--data", place.data) == "778\n"


@pytest.mark.parametrize("wrong, says", [
    ("{}\n", "'namespace' is missing"),
    ("what is this\n", "column 4: '[' or '{' expected"),
    (line("Bob", "three"), "an integer of 32 bits"),
    (line("Bob", 3, typename="io.statefun.types/string"), "a string"),
    (line("Bob", 3, expires="soon"), "'expires'"),
])
def test_a_file_with_a_wrong_line_is_refused_as_a_whole(place, tmp_path, wrong, says):
    file = tmp_path / "states"
    file.write_text(line("Ada", 99) + "\n" + wrong + line("Carl", 1))
    result = command("import", file, "--data", place.data)
    assert result.returncode == 2
    assert f"{file}:3: " in result.stderr and says in result.stderr
    assert good("get", "example/person/Ada", "visits", "--data", place.data) == "1\n"


def test_a_line_of_another_type_than_the_state_is_named(place, tmp_path):
    file = tmp_path / "states"
    file.write_text(line("Bob", 3) + line("Carl", "text", typename="io.statefun.types/string"))
    result = command("import", file, "--data", place.data)
    assert result.returncode == 1
    assert f"{file}:2: " in result.stderr and INT in result.stderr


def test_a_state_expires_as_its_line_says(place):
    good("import", "--data", place.data, input=line("Bob", 3, expires=1) + line("Carl", 4, expires=4102444800000))
    assert command("get", "example/person/Bob", "visits", "--data", place.data).returncode == 1
    states = json.loads(good("list", "example/person/Carl", "--data", place.data))["states"]
    assert states == [{"state": "visits", "typename": INT, "size": 5, "expires": 4102444800000}]


def test_what_is_imported_into_a_stopped_directory_survives_a_kill_of_what_runs_then(statefun):
    assert statefun.stop() == 0
    good("import", "--data", statefun.data, input=line("Ada", 5))
    statefun.start()
    statefun.kill()
    statefun.start()
    assert good("get", "example/person/Ada", "visits", "--data", statefun.data) == "5\n"


def test_an_import_that_was_killed_is_simply_done_again(tmp_path):
    file, data = tmp_path / "states", tmp_path / "data"
    count = 100000
    file.write_text("".join(line(f"id-{i}", i + 1) for i in range(count)))
    process = subprocess.Popen([PROGRAM, "state", "import", file, "--data", data], stderr=subprocess.DEVNULL)
    wait_for(lambda: process.poll() is not None or (data / "FORMAT").exists(), what="the data directory")
    time.sleep(0.3)  # wherever that is
    process.kill()
    process.wait()
    good("import", file, "--data", data)
    good("export", tmp_path / "back", "--data", data)
    exported = [json.loads(one) for one in (tmp_path / "back").read_text().splitlines()]
    assert sorted((one["id"], one["value"]) for one in exported) == sorted((f"id-{i}", i + 1) for i in range(count))


def test_a_terminal_is_shown_a_bar(tmp_path):
    file = tmp_path / "states"
    file.write_text("".join(line(f"id-{i}", i + 1) for i in range(100000)))
    ours, theirs = open_terminal()
    process = subprocess.Popen([PROGRAM, "state", "import", file, "--data", tmp_path / "data"], stderr=theirs)
    os.close(theirs)
    shown = b""
    while True:
        try:
            shown += os.read(ours, 4096)
        except OSError:  # nobody has the other end any more
            break
    os.close(ours)
    assert process.wait() == 0
    assert b"[#" in shown and b" %, " in shown and b"100000 lines in " in shown


def test_a_directory_that_is_in_use_and_says_no_listener_is_told(statefun):
    (statefun.data / "runtime.json").unlink()
    result = command("get", "example/person/Ada", "visits", "--data", statefun.data)
    assert result.returncode == 1
    assert str(statefun.process.pid) in result.stderr and "runtime.json" in result.stderr


def test_a_directory_that_is_not_there_is_told_and_not_made(tmp_path):
    for action in (("get", "a/b/c", "d"), ("put", "a/b/c", "d", "e"), ("list", "a/b/c"), ("export",)):
        result = command(*action, "--data", tmp_path / "nothing")
        assert result.returncode == 1 and str(tmp_path / "nothing") in result.stderr
    assert not (tmp_path / "nothing").exists()


def test_the_token_comes_from_the_environment_or_a_file_and_is_not_shown(greeter, make_statefun, monkeypatch,
                                                                         tmp_path):
    monkeypatch.setenv("STATEFUN_ADMIN_TOKEN", TOKEN)
    statefun = make_statefun(MODULE.format(url=greeter.url)).start()
    monkeypatch.delenv("STATEFUN_ADMIN_TOKEN")
    ada = ("example/person/Ada", "note", "--at", statefun.listeners["admin"])
    for environment in ({}, {"STATEFUN_ADMIN_TOKEN": TOKEN + "x"}):
        result = command("put", *ada, "x", **environment)
        assert result.returncode == 2 and "token" in result.stderr and TOKEN not in result.stderr
    good("put", *ada, "x", STATEFUN_ADMIN_TOKEN=TOKEN)
    config = tmp_path / "config.yaml"
    config.write_text(f"statefun.admin.token: {TOKEN}\n")
    assert good("get", *ada, "--config", config) == "x\n"


def test_the_admin_listener_may_be_a_unix_socket(greeter, make_statefun, tmp_path):
    statefun = make_statefun(MODULE.format(url=greeter.url))
    path = tmp_path / "admin.sock"
    process = subprocess.Popen([PROGRAM, "run", "-m", statefun.module, "--data", statefun.data, "--admin",
                                f"unix:{path}", "--http-bind", "127.0.0.1"], stderr=subprocess.PIPE, text=True)
    try:
        assert any("running" in one for one in process.stderr)
        good("put", "--data", statefun.data, "example/person/Ada", "note", "x")
        assert good("get", "--at", f"unix:{path}", "example/person/Ada", "note") == "x\n"
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("arguments, says", [
    ((), "get, put, delete, list, export, import"),
    (("gte", "a/b/c", "d"), "did you mean 'get'?"),
    (("get", "a/b/c"), "expected get ADDRESS STATE"),
    (("list", "a/b"), "namespace/type/id"),
    (("list", "a/b/c", "--ahead"), "takes no --ahead"),
    (("put", "a/b/c", "d", "e", "--type", "int"), "<namespace>/<name>"),
    (("get", "a/b/c", "d", "--at", "nowhere"), "host:port"),
    (("get", "a/b/c", "d", "--workers", "2"), "--workers"),
])
def test_a_wrong_command_line_says_what_was_expected(statefun, arguments, says):
    result = command(*arguments, *(("--data", statefun.data) if arguments else ()))
    assert result.returncode == 2 and says in result.stderr


def test_an_export_that_cannot_be_written_leaves_nothing_behind(statefun, tmp_path):
    result = command("export", tmp_path / "no" / "such" / "file", "--data", statefun.data)
    assert result.returncode == 1 and "no/such/file" in result.stderr
    result = command("export", tmp_path, "--data", statefun.data)  # a directory
    assert result.returncode == 1 and not (tmp_path.parent / f"{tmp_path.name}.part").exists()
