"""The program as people meet it: help, mistakes, exit codes, the data directory."""
import json
import os
import signal
import subprocess

import pytest
from statefun_process import PROGRAM

GOOD = """
kind: io.statefun.endpoints.v2/http
spec:
  functions: example/*
  urlPathTemplate: http://127.0.0.1:1/statefun
---
kind: io.statefun.playground.v1/ingress
spec:
  port: 0
"""


def statefun(*arguments, **environment):
    return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=30,
                          env={**os.environ, **environment})


def module(directory, text=GOOD):
    file = directory / "module.yaml"
    file.write_text(text)
    return file


def test_help_tells_every_command_and_setting():
    shown = statefun("--help")
    assert shown.returncode == 0
    for command in ("run", "check", "state", "deadletter", "address", "ingress"):
        assert f"\n  {command} " in shown.stdout
    shown = statefun("run", "--help")
    assert shown.returncode == 0
    for flag in ("--data", "--module", "--commit-interval", "STATEFUN_COMMIT_INTERVAL", "default: 10ms"):
        assert flag in shown.stdout


def test_what_is_made_of_the_tables_has_every_command():
    man, completion = (statefun("reference", kind).stdout for kind in ("man", "completion"))
    assert ".B statefun ingress\n" in man and "\\-\\-skip\n" in man
    assert "ingress) COMPREPLY=($(compgen -W 'list resume --config --help --skip --positions --json --at" in completion


def test_version_is_told():
    assert statefun("--version").stdout.startswith("statefun 0.")


@pytest.mark.parametrize("arguments, says", [
    (["rnu"], "did you mean 'run'?"),
    (["run", "--comit-interval", "5ms"], "did you mean '--commit-interval'?"),
    (["run", "--data"], "--data needs a value"),
    (["run", "--commit-interval", "soon"], "soon"),
    (["check", "module.yaml"], "-m"),
])
def test_a_wrong_command_line_says_what_was_meant(arguments, says):
    result = statefun(*arguments)
    assert result.returncode == 2
    assert says in result.stderr


def test_a_good_module_is_called_good(tmp_path):
    result = statefun("check", "-m", module(tmp_path))
    assert result.returncode == 0, result.stderr
    assert "good" in result.stdout


def test_all_mistakes_are_told_with_their_places(tmp_path):
    file = module(tmp_path, GOOD.replace("urlPathTemplate", "urlPathTemplat").replace("playground.v1/ingress",
                                                                                     "playground.v1/ingres"))
    result = statefun("check", "-m", file)
    assert result.returncode == 2
    assert f"{file}:5:" in result.stderr and "urlPathTemplate" in result.stderr
    assert f"{file}:7:" in result.stderr and "io.statefun.playground.v1/ingress" in result.stderr


def test_an_unknown_key_is_an_error_in_check_and_a_warning_in_run(tmp_path):
    file = module(tmp_path, GOOD.replace("  functions:", "  colour: red\n  functions:"))
    assert statefun("check", "-m", file).returncode == 2
    process = subprocess.Popen([PROGRAM, "run", "-m", file, "--data", tmp_path / "data", "--admin", "127.0.0.1:0"],
                               stderr=subprocess.PIPE, text=True)
    seen = []
    for line in process.stderr:
        seen.append(line)
        if "running" in line:
            break
    process.send_signal(signal.SIGTERM)
    process.stderr.read()
    assert process.wait(30) == 0
    assert "warning" in "".join(seen) and "colour" in "".join(seen)


def test_two_modules_that_bind_the_same_are_both_named(tmp_path):
    files = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        files.append(str(module(tmp_path / name)))
    result = statefun("check", "-m", tmp_path)
    assert result.returncode == 2
    assert all(file in result.stderr for file in files)


OLD = """
version: "2.0"
module:
  meta: {type: remote}
  spec:
    functions:
      - function:
          meta: {kind: http, type: bank/ledger}
          spec: {endpoint: 'http://127.0.0.1:1/statefun', states: [{name: balance}]}
    ingresses:
      - ingress:
          meta: {type: statefun.kafka.io/routable-protobuf-ingress, id: bank/in}
          spec:
            address: 127.0.0.1:1
            consumerGroupId: bank
            topics: [{topic: t, typeUrl: type.googleapis.com/bank.Transfer, targets: [bank/ledger]}]
"""


def test_what_migrate_prints_is_good_where_the_old_module_was_refused(tmp_path):
    old = module(tmp_path, OLD)
    refused = statefun("check", "-m", old)
    assert refused.returncode == 2
    assert f"{old}:2:10: error: " in refused.stderr and "statefun migrate" in refused.stderr
    assert "    kind: io.statefun.endpoints.v2/http\n" in refused.stderr
    migrated = statefun("migrate", old)
    assert migrated.returncode == 0 and not migrated.stderr
    assert "balance" in migrated.stdout
    new = tmp_path / "new.yaml"
    new.write_text(migrated.stdout)
    assert statefun("check", "-m", new).returncode == 0


def test_migrate_says_what_it_cannot_bring_over(tmp_path):
    file = module(tmp_path, OLD + """
    routers:
      - router: {meta: {type: a/b}, spec: {}}
""")
    result = statefun("migrate", file)
    assert result.returncode == 2
    assert f"{file}:19:31: error: a router cannot be brought over" in result.stderr
    assert "# Missing here: a router (line 19)" in result.stdout
    for arguments, says in ((["migrate"], "expected FILE..."), (["migrate", "--hlep"], "--hlep"),
                            (["migrate", tmp_path / "none"], str(tmp_path / "none"))):
        result = statefun(*arguments)
        assert result.returncode == 2 and says in result.stderr
    assert "2.x" in statefun("migrate", "--help").stdout


def test_modules_and_settings_come_from_the_environment_too(tmp_path):
    module(tmp_path)
    assert statefun("check", STATEFUN_MODULES=str(tmp_path)).returncode == 0
    result = statefun("check", STATEFUN_MODULES=str(tmp_path), STATEFUN_WORKERS="many")
    assert result.returncode == 2 and "STATEFUN_WORKERS" in result.stderr


def test_a_configuration_file_sets_what_flags_do_not(tmp_path):
    config = tmp_path / "statefun.yaml"
    config.write_text("statefun.wrokers: 2\n")
    result = statefun("check", "-m", module(tmp_path), "--config", config)
    assert result.returncode == 2 and "statefun.workers" in result.stderr


def test_no_module_at_all_is_an_error():
    result = statefun("run", STATEFUN_MODULES="/nonexistent")
    assert result.returncode == 2
    assert "/nonexistent" in result.stderr


@pytest.fixture
def running(tmp_path, make_statefun):
    return make_statefun(GOOD).start()


def test_a_data_directory_is_for_one_process(running):
    result = statefun("run", "-m", running.module, "--data", running.data, "--admin", "127.0.0.1:0")
    assert result.returncode == 1
    assert str(running.process.pid) in result.stderr and str(running.data) in result.stderr


def test_a_port_that_is_taken_is_named(running):
    result = statefun("run", "-m", running.module, "--data", running.directory / "other", "--admin",
                      running.listeners["admin"])
    assert result.returncode == 1
    assert running.listeners["admin"] in result.stderr


def test_a_newer_or_foreign_data_directory_is_refused(running):
    assert running.stop() == 0
    format_file = running.data / "FORMAT"
    known = format_file.read_bytes()
    for other in (known.replace(b"1", b"99", 1), b"something else\n", b""):
        format_file.write_bytes(other)
        result = statefun("run", "-m", running.module, "--data", running.data, "--admin", "127.0.0.1:0")
        assert result.returncode == 1, other
        assert str(running.data) in result.stderr
    format_file.write_bytes(known)
    running.start()


def test_a_directory_of_somebody_else_is_not_taken_over(tmp_path):
    foreign = tmp_path / "photos"
    foreign.mkdir()
    (foreign / "holiday.jpg").write_bytes(b"x")
    result = statefun("run", "-m", module(tmp_path), "--data", foreign, "--admin", "127.0.0.1:0")
    assert result.returncode == 1
    assert sorted(os.listdir(foreign)) == ["holiday.jpg"]


def test_json_logs_are_json(tmp_path):
    process = subprocess.Popen([PROGRAM, "run", "-m", module(tmp_path), "--data", tmp_path / "data", "--admin",
                                "127.0.0.1:0", "--log-format", "json"], stderr=subprocess.PIPE, text=True)
    line = json.loads(process.stderr.readline())
    assert line["message"] == "running" and line["level"] and line["time"]
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
