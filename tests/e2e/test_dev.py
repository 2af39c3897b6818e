"""'statefun dev' at work: it builds, runs, watches, reloads and ends, and leaves nothing behind."""
import os
import signal
import subprocess
import time

import projects
import pytest
from function_process import free_port
from projects import Dev, replace
from statefun_process import PROGRAM, wait_for
from terminal import open_terminal

READY = "ready after"


@pytest.fixture
def dev():
    """Starts it in a project."""
    started = []

    def start(project, *flags, **how):
        started.append(Dev(project, *flags, **how))
        return started[-1]
    yield start
    for each in started:
        each.end()


@pytest.fixture
def python(tmp_path):
    project = projects.new(tmp_path / "hello", "--language", "python")
    return projects.with_this_python(projects.on_free_ports(project))


def project_of(directory, module="", **files):
    """One of a few lines, with an ingress on a free port."""
    directory.mkdir()
    (directory / "module.yaml").write_text(
        "kind: io.statefun.endpoints.v2/http\n"
        "spec: {functions: a/*, urlPathTemplate: 'http://127.0.0.1:1/'}\n"
        "---\nkind: io.statefun.playground.v1/ingress\nspec: {port: 0}\n" + module)
    for name, text in files.items():
        (directory / name.replace("_yaml", ".yaml").replace("statefun_dev", "statefun-dev")).write_text(text)
    return directory


def test_a_source_is_edited_and_the_state_goes_on(python, dev):
    running = dev(python)
    running.wait_for_log(READY)
    assert running.visit() == "Hello Ada, this is visit 1."
    assert running.visit() == "Hello Ada, this is visit 2."
    pid = running.processes()
    replace(python / "greeter.py", ("Hello {name}", "Good day {name}"))
    running.wait_for_log("greeter.py has changed")
    running.greets("Bob", "Good day")
    assert running.visit() == "Good day Ada, this is visit 3."
    assert len(running.processes()) == len(pid)
    assert running.log().count(READY) == 1  # the runtime did not start again


def test_a_broken_edit_is_reported_and_what_ran_goes_on(python, dev):
    running = dev(python)
    running.wait_for_log(READY)
    assert running.visit() == "Hello Ada, this is visit 1."
    replace(python / "greeter.py", ("async def greet(", "async def greet(("))
    running.wait_for_log("the build failed, exit code 1: what ran before goes on")
    assert "build   |   File \"greeter.py\", line" in running.log()
    assert running.visit() == "Hello Ada, this is visit 2."
    replace(python / "greeter.py", ("async def greet((", "async def greet("), ("Hello", "Welcome back"))
    running.greets("Bob", "Welcome back")
    assert running.visit() == "Welcome back Ada, this is visit 3."


def test_a_change_of_the_module_restarts_the_runtime_with_its_state(python, dev):
    running = dev(python)
    running.wait_for_log(READY)
    assert running.visit() == "Hello Ada, this is visit 1."
    replace(python / "module.yaml", ("port: 0\n  topics:", "port: 0\n  topics:\n    - others"))
    running.wait_for_log(READY, times=2)
    assert running.visit() == "Hello Ada, this is visit 2."
    replace(python / "module.yaml", ("playground.v1/ingress", "playground.v1/ingres"))
    running.wait_for_log("the module has errors: what ran before goes on")
    assert "check   | ./module.yaml:" in running.log()
    assert running.visit() == "Hello Ada, this is visit 3."


def test_ctrl_c_ends_all_of_it_and_the_next_start_knows_the_state(python, dev):
    running = dev(python)
    running.wait_for_log(READY)
    assert running.visit() == "Hello Ada, this is visit 1."
    assert len(running.processes()) >= 3  # dev, the function and the runtime
    code, seconds = running.stop()
    assert code == 0 and not running.processes()
    assert running.log().rstrip().endswith("stopped")
    again = dev(python)
    again.wait_for_log(READY)
    assert again.visit() == "Hello Ada, this is visit 2."


def test_who_does_not_want_to_end_is_killed_and_so_is_who_has_gone_away(tmp_path, dev):
    project = project_of(tmp_path / "stubborn", statefun_dev_yaml="""
functions:
  - name: deaf
    run: trap '' TERM; while :; do sleep 1; done
  - name: parent
    run: setsid sleep 1000 & (sleep 1001 &) ; exec sleep 1002
""")
    running = dev(project)
    running.wait_for_log(READY)
    wait_for(lambda: len(running.processes()) >= 7)
    code, seconds = running.stop()
    assert code == 0 and not running.processes()


def test_a_second_ctrl_c_waits_for_nobody(tmp_path, dev):
    project = project_of(tmp_path / "stubborn", statefun_dev_yaml="""
functions: [{name: deaf, run: "trap '' TERM; while :; do sleep 1; done"}]
""")
    running = dev(project)
    running.wait_for_log(READY)
    running.process.send_signal(signal.SIGINT)
    running.wait_for_log("once more")
    running.process.send_signal(signal.SIGINT)
    assert running.process.wait(30) == 0 and not running.processes()


def test_it_ends_when_nobody_reads_what_it_says(tmp_path, dev):
    project = project_of(tmp_path / "talks", statefun_dev_yaml="""
functions: [{name: talks, run: "while :; do echo hello; sleep 0.1; done"}]
""")
    ours, theirs = os.pipe()
    running = dev(project, output=theirs)
    os.close(theirs)
    assert os.read(ours, 100)
    os.close(ours)
    assert running.process.wait(30) == 0 and not running.processes()


def test_a_function_that_ends_is_reported_and_starts_again_after_a_change(tmp_path, dev):
    project = project_of(tmp_path / "short", statefun_dev_yaml="""
watch: [words, src]
functions: [{name: short, run: "cat words; exit 7"}]
""", words="first\nwith no end")
    running = dev(project)
    running.wait_for_log("short has ended: exit code 7")
    assert "short   | first\nshort   | with no end\n" in running.log()
    (project / "words").write_text("second\n")
    running.wait_for_log("short   | second")
    (project / "src").mkdir()  # what comes later counts, too
    (project / "src/file").write_text("")
    running.wait_for_log("src/file has changed")
    running.wait_for_log("short   | second", times=2)
    (project / "src/.file.swp").write_text("")
    (project / "other").write_text("")
    (project / "src/last").write_text("")
    running.wait_for_log("src/last has changed")
    assert "swp" not in running.log() and "other" not in running.log()


def test_colours_are_for_terminals_that_want_them(tmp_path, dev):
    project = project_of(tmp_path / "plain")

    def shown(**environment):
        ours, theirs = open_terminal()
        running = dev(project, output=theirs, TERM="xterm", **environment)
        os.close(theirs)
        seen = b""
        while READY.encode() not in seen:
            seen += os.read(ours, 4096)
        running.stop()
        os.close(ours)
        return seen
    assert b"\033[" in shown(NO_COLOR="")
    assert b"\033[" not in shown(NO_COLOR="1")
    running = dev(project)
    running.wait_for_log(READY)
    assert "\033[" not in running.log()


def test_a_broker_that_does_not_answer_is_told_in_one_line(tmp_path, dev):
    project = projects.new(tmp_path / "hello", "--language", "python", "--ingress", "kafka")
    projects.with_this_python(projects.on_free_ports(project))
    address = f"127.0.0.1:{free_port()}"
    replace(project / "module.yaml", ("127.0.0.1:9092", address))
    running = dev(project)
    running.wait_for_log("no Kafka broker answers")
    line, = [line for line in running.log().splitlines() if "no Kafka broker" in line]
    assert address in line and "docker compose up -d kafka topics" in line
    running.wait_for_log(READY)  # it may come later


def test_a_kafka_project_greets_on_kafka(tmp_path, dev, broker, unique):
    project = projects.new(tmp_path / "hello", "--language", "python", "--ingress", "kafka")
    projects.with_this_python(projects.on_free_ports(project))
    names, greetings = f"{unique}-names", f"{unique}-greetings"
    for topic in (names, greetings):
        broker.make_topic(topic)
    replace(project / "module.yaml", ("127.0.0.1:9092", broker.address), ("topic: names", f"topic: {names}"))
    replace(project / "greeter.py", ('topic="greetings"', f'topic="{greetings}"'))
    running = dev(project)
    running.wait_for_log(READY)
    assert "no Kafka broker" not in running.log()
    broker.produce(names, [("Ada", "hello"), ("Ada", "hello")])
    assert broker.read(greetings, 2) == [("Ada", "Hello Ada, this is visit 1."), ("Ada", "Hello Ada, this is visit 2.")]


def run(directory, *arguments):
    return subprocess.run([PROGRAM, "dev", *arguments], cwd=directory, capture_output=True, text=True, timeout=30,
                          stdin=subprocess.DEVNULL)


def test_without_a_project_it_says_what_makes_one(tmp_path):
    result = run(tmp_path)
    assert result.returncode == 2
    assert "found neither" in result.stderr and "statefun new NAME" in result.stderr
    (tmp_path / "statefun-dev.yaml").write_text("build: 'true'\n")
    result = run(tmp_path)
    assert result.returncode == 2 and "module.yaml: expected a module there" in result.stderr
    result = run(tmp_path, "nowhere")
    assert result.returncode == 2 and "'nowhere'" in result.stderr
    result = run(tmp_path, "one", "two")
    assert result.returncode == 2 and "expected one DIRECTORY" in result.stderr


@pytest.mark.parametrize("text, says", [
    ("buidl: make\n", ":1:1: error: unknown key 'buidl' in statefun-dev.yaml: did you mean 'build'?"),
    ("functions: greeter\n", ":1:12: error: 'functions': expected a list of objects with 'name' and 'run', found text"),
    ("functions:\n  - name: greeter\n", ":2:5: error: missing key 'run' in function"),
    ("functions:\n  - greeter\n", ":2:5: error: 'functions': expected an object with 'name' and 'run', found text"),
    ("watch: ['*.c', ../other]\n", ":1:16: error: 'watch': expected a path or pattern within the project"),
    ("watch: [/etc]\n", ":1:9: error: 'watch': expected a path or pattern within the project"),
    ("watch: '*.c'\n", ":1:8: error: 'watch': expected a list of files"),
    ("build: [make]\n", ":1:8: error: 'build': expected text, found a list"),
    ("build: make\n---\nbuild: make\n", "found another document"),
    ("- build\n", "expected one object"),
    ("build: 'make\n", "statefun-dev.yaml:"),
])
def test_what_is_wrong_with_its_file_is_told_with_its_place(tmp_path, text, says):
    project = project_of(tmp_path / "wrong", statefun_dev_yaml=text)
    result = run(project)
    assert result.returncode == 2
    assert says in result.stderr and "statefun-dev.yaml:" in result.stderr


def test_wrong_settings_are_told_before_anything_runs(tmp_path):
    project = project_of(tmp_path / "wrong", statefun_dev_yaml="build: touch built\n")
    for flags, says in ((["--workers", "many"], "many"), (["--data", "elsewhere"], "--data")):
        result = run(project, *flags)
        assert result.returncode == 2 and says in result.stderr
    assert not (project / "built").exists()


@pytest.mark.parametrize("where", ["flag", "environment"])
def test_a_configuration_file_lies_where_the_user_is(tmp_path, dev, where):
    project = project_of(tmp_path / "project")
    (tmp_path / "my.conf").write_text("statefun.log.level: debug\nstatefun.log.format: json\n")
    (project / "my.conf").write_text("statefun.log.format: text\n")
    flags, environment = ((["--config", "my.conf"], {}) if where == "flag" else ([], {"STATEFUN_CONFIG": "my.conf"}))
    running = dev(project, *flags, "--", project.name, cwd=tmp_path, **environment)
    running.wait_for_log(READY)
    running.wait_for_log('"level":"INFO"')


def test_the_admin_socket_lies_where_the_user_is(tmp_path, dev):
    project = project_of(tmp_path / "project")
    running = dev(project, "--admin", "unix:admin", "--", project.name, cwd=tmp_path)
    running.wait_for_log(READY)
    assert (tmp_path / "admin").is_socket() and not (project / "admin").exists()


def test_changes_during_a_build_have_their_turn(tmp_path, dev):
    project = project_of(tmp_path / "slow", statefun_dev_yaml="""
build: cat number; sleep 0.5
watch: [number]
functions: [{name: shows, run: "echo now $(cat number); exec sleep 1000"}]
""", number="1\n")
    running = dev(project)
    running.wait_for_log("build   | 1")
    (project / "number").write_text("2\n")
    time.sleep(0.2)
    (project / "number").write_text("3\n")
    running.wait_for_log("shows   | now 3")
    assert running.log().count("build   | ") <= 3
