"""The examples in C do what their READMEs say: embedded, and as remote functions."""
import re
import shlex
import time
from pathlib import Path

import pytest
from function_process import Function
from statefun_process import INGRESS, PROGRAM, ROOT, ask

EXAMPLES = ROOT / "examples/c"
BUILT = PROGRAM.parent / "examples/c"
NAMES = sorted(page.parent.name for page in EXAMPLES.glob("*/README.md"))
REMOTE = "http://127.0.0.1:8000/statefun"


class Example(Function):
    """An example as a server of its own."""

    def __init__(self, directory, name):
        super().__init__(directory, BUILT / name / name)
        self.log_file = Path(directory) / f"c-{name}.log"
        self.command = [BUILT / name / name, "--listen", f"127.0.0.1:{self.port}"]


@pytest.fixture
def make_example(tmp_path):
    made = []

    def make(name):
        made.append(Example(tmp_path, name))
        return made[-1].start()
    yield make
    for example in made:
        example.kill()


def steps(name):
    """What a README's console shows: commands, each with what it prints."""
    console = re.search(r"^```console\n(.*?)^```", (EXAMPLES / name / "README.md").read_text(), re.S | re.M).group(1)
    found = []
    for line in console.splitlines():
        if line.startswith("$ "):
            found.append((shlex.split(line[2:]), []))
        else:
            found[-1][1].append(line)
    assert found
    return found


def module(name):
    """Its module.yaml, on ports that the kernel picks."""
    return re.sub(r"port: \d+", "port: 0", (EXAMPLES / name / "module.yaml").read_text())


def follow(statefun, name):
    for command, printed in steps(name):
        if command[0] == "sleep":
            time.sleep(float(command[1]))
            continue
        assert command[0] == "curl"
        path = command[-1].removeprefix("localhost:8090").removeprefix("localhost:8091")
        if path.startswith("/in/"):
            _, _, header, _, body, _ = command
            status, _, answer = ask(statefun.listeners[INGRESS], "POST", path, body.encode(),
                                    dict([header.split(": ")]))
            assert status == 202
            assert re.sub(r"\d+", "N", answer.decode()).splitlines() == [re.sub(r"\d+", "N", line) for line in printed]
        else:
            assert statefun.fetch_all(path[1:], 1) == printed, command


@pytest.mark.parametrize("name", NAMES)
def test_embedded_it_does_what_its_readme_says(make_statefun, name):
    statefun = make_statefun(module(name)).start("-m", BUILT / name / f"{name}.so")
    follow(statefun, name)
    assert statefun.stop() == 0


@pytest.mark.parametrize("name", NAMES)
def test_remote_it_does_what_its_readme_says(make_example, make_statefun, name):
    remote = (EXAMPLES / name / "remote.yaml").read_text()
    assert REMOTE in remote
    statefun = make_statefun(module(name) + "---\n" + remote.replace(REMOTE, make_example(name).url)).start()
    follow(statefun, name)
    assert statefun.stop() == 0


def test_the_list_of_examples_is_complete():
    listed = re.findall(r"^- \[(.*?)\]\((.*?)/README.md\)", (EXAMPLES / "README.md").read_text(), re.M)
    assert sorted(listed) == [(name, name) for name in NAMES]
