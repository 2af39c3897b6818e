"""What 'statefun new' makes, as a new user meets it: its own test passes, and 'statefun dev' builds and runs it with what
registries have. In each language, those of the official SDKs and C."""
import os
import re
import shutil
import subprocess
from pathlib import Path

import projects
import pytest
from projects import Dev, replace
from statefun_process import PROGRAM

# How its README has the test run, and what is said when it passes.
TESTS = {
    "c": "cmake -S . -B build && cmake --build build && ctest --test-dir build --output-on-failure",
    "python": ".venv/bin/python -m unittest",
    "go": "go test ./...",
    "java": "mvn -B test",
    "js": "npm install && npm test",
}
PASSED = {"c": "100% tests passed", "python": "OK", "go": r"ok\s+hello", "java": "BUILD SUCCESS", "js": "# fail 0"}
SOURCES = {"c": "greeter.c", "python": "greeter.py", "go": "greeter.go", "java": "src/main/java/Greeter.java",
           "js": "greeter.js"}
BUILD_SECONDS = 300  # what a registry may take


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The program as it is installed, with its library."""
    prefix = tmp_path_factory.mktemp("prefix")
    subprocess.run(["cmake", "--install", Path(PROGRAM).parent, "--prefix", prefix], check=True, capture_output=True)
    return prefix


@pytest.fixture
def program_for(installed):
    """Projects in C find the library where the program is installed."""
    def program(language):
        if language == "c" and not list(installed.glob("**/statefun*onfig.cmake")):
            pytest.skip("this build installs no library for C")
        return installed / "bin/statefun" if language == "c" else PROGRAM
    return program


@pytest.fixture
def dev():
    started = []

    def start(project, **how):
        started.append(Dev(project, **how))
        return started[-1]
    yield start
    for each in started:
        each.end()


def run_test(project, language, installed):
    result = subprocess.run(TESTS[language], shell=True, cwd=project, capture_output=True, text=True,
                            timeout=BUILD_SECONDS, env={**os.environ, "CMAKE_PREFIX_PATH": str(installed), "PYTHONDONTWRITEBYTECODE": "1"})
    said = result.stdout + result.stderr
    if result.returncode and "PKIX path building failed" in said:
        pytest.skip("Java does not trust the registry's certificate on this machine")
    return result.returncode, said


@pytest.mark.parametrize("language, kind, ingress", projects.ALL)
def test_the_test_of_a_new_project_passes_and_fails_when_the_function_is_broken(tmp_path, installed, program_for,
                                                                                language, kind, ingress):
    project = projects.new(tmp_path / "hello", "--language", language, "--kind", kind, "--ingress", ingress,
                           program=program_for(language))
    if language == "python":
        projects.with_this_python(project)
    code, said = run_test(project, language, installed)
    assert code == 0 and re.search(PASSED[language], said), said
    replace(project / SOURCES[language], ("this is visit", "this was visit"))
    code, said = run_test(project, language, installed)
    assert code != 0 and "this was visit" in said, said


@pytest.mark.parametrize("language, kind", [("c", "embedded"), ("c", "remote"), ("python", "remote"), ("go", "remote"),
                                            ("java", "remote"), ("js", "remote")])
def test_dev_builds_runs_and_reloads_a_new_project(tmp_path, dev, installed, program_for, language, kind):
    program = program_for(language)
    project = projects.new(tmp_path / "hello", "--language", language, "--kind", kind, program=program)
    if language == "java":
        run_test(project, language, installed)  # which tells whether it can be built here
    running = dev(projects.on_free_ports(project), program=program)
    running.wait_for_log("ready after", seconds=BUILD_SECONDS)
    assert running.visit() == "Hello Ada, this is visit 1."

    replace(project / SOURCES[language], ("Hello", "Good day"))
    running.greets("Bob", "Good day")
    assert running.visit() == "Good day Ada, this is visit 2."

    source = project / SOURCES[language]
    replace(source, (source.read_text(), source.read_text() + ")(\n"))
    running.wait_for_log("the build failed", seconds=BUILD_SECONDS)
    assert running.visit() == "Good day Ada, this is visit 3."
    code, _ = running.stop()
    assert code == 0 and not running.processes()


@pytest.mark.skipif(not shutil.which("gofmt"), reason="Go's formatter is not there")
@pytest.mark.parametrize("ingress", ["http", "kafka"])
def test_go_is_laid_out_as_go_wants_it(tmp_path, ingress):
    project = projects.new(tmp_path / "hello", "--language", "go", "--ingress", ingress)
    assert subprocess.run(["gofmt", "-l", "."], cwd=project, capture_output=True, text=True).stdout == ""
