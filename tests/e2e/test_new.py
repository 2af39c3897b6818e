"""What 'statefun new' makes, and what it refuses."""
import json
import os
import subprocess
import sys

import pytest
import projects
from statefun_process import PROGRAM, wait_for
from terminal import open_terminal


def statefun(*arguments, **how):
    return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=30,
                          stdin=subprocess.DEVNULL, **how)


def files_of(project):
    return {str(file.relative_to(project)) for file in project.rglob("*") if file.is_file()}


SOURCES = {
    "c": {"greeter.c", "greeter.h", "greeter_test.c", "CMakeLists.txt", ".vscode/tasks.json", ".clang-format"},
    "python": {"greeter.py", "test_greeter.py", "requirements.txt"},
    "go": {"greeter.go", "greeter_test.go", "go.mod", "go.sum"},
    "java": {"src/main/java/Greeter.java", "src/test/java/GreeterTest.java", "pom.xml"},
    "js": {"greeter.js", "greeter.test.js", "package.json"},
}
COMMON = {"module.yaml", "statefun-dev.yaml", "Dockerfile", "README.md", ".gitignore", ".dockerignore",
          ".editorconfig", ".vscode/settings.json", ".vscode/launch.json"}


@pytest.mark.parametrize("language, kind, ingress", projects.ALL)
def test_a_project_has_its_files_and_its_module_is_good(tmp_path, language, kind, ingress):
    project = projects.new(tmp_path / "my-project_2", "--language", language, "--kind", kind, "--ingress", ingress)
    expected = SOURCES[language] | COMMON
    expected |= {"main.c"} if (language, kind) == ("c", "remote") else set()
    expected |= {"compose.yaml"} if ingress == "kafka" else set()
    assert files_of(project) == expected
    for file in files_of(project):
        text = (project / file).read_text()
        assert "{{" not in text and "\n\n\n\n" not in text, file
    for file in (project / ".vscode").iterdir():
        json.loads(file.read_text())
    result = statefun("check", "-m", project)
    if kind == "embedded":  # what it lacks is what the build makes
        assert result.returncode == 2 and "embedded module (*.so beside the module.yaml)" in result.stderr
        assert result.stderr.count("error") == 1, result.stderr
    else:
        assert result.returncode == 0 and not result.stderr, result.stderr


@pytest.mark.parametrize("ingress", ["http", "kafka"])
def test_the_test_of_a_python_project_passes_and_fails_when_the_function_is_broken(tmp_path, ingress):
    project = projects.new(tmp_path / "hello", "--language", "python", "--ingress", ingress)
    test = [sys.executable, "-B", "-m", "unittest"]  # what is cached is told apart by seconds and size
    result = subprocess.run(test, cwd=project, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0 and "Ran 1 test" in result.stderr, result.stderr
    projects.replace(project / "greeter.py", ("or 0) + 1", "or 0) + 2"))
    assert subprocess.run(test, cwd=project, capture_output=True, timeout=60).returncode == 1


def test_without_a_terminal_what_is_not_said_is_the_default(tmp_path):
    project = projects.new(tmp_path / "hello")
    assert (project / "greeter.c").exists()
    assert "playground" in (project / "module.yaml").read_text()
    assert "endpoints" not in (project / "module.yaml").read_text()


def converse(directory, answers, *flags):
    """What is seen on a terminal on which each of the answers is typed when a question has come."""
    ours, theirs = open_terminal()
    process = subprocess.Popen([PROGRAM, "new", *flags], cwd=directory, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    seen = b""

    def reads(until):
        nonlocal seen
        try:
            seen += os.read(ours, 4096)
        except OSError:
            return True  # it has closed the terminal
        return seen.count(b"]") >= until and seen.rstrip().endswith(b":")
    for number, answer in enumerate(answers, 1):
        wait_for(lambda: reads(number))
        os.write(ours, answer.encode() + b"\n")
    while process.poll() is None:
        reads(1000)
    reads(1000)
    os.close(ours)
    assert process.returncode == 0, seen
    return seen.decode()


def test_on_a_terminal_it_asks_what_is_not_said(tmp_path):
    seen = converse(tmp_path, ["pascal", "go", "kafka"], "first")
    assert seen.count("Which language") == 2  # pascal is none
    assert "embedded" not in seen  # only C can be
    assert (tmp_path / "first/go.mod").exists() and (tmp_path / "first/compose.yaml").exists()
    seen = converse(tmp_path, ["", ""], "second", "--language", "c")
    assert "Which language" not in seen
    assert (tmp_path / "second/greeter.c").exists() and not (tmp_path / "second/main.c").exists()


def test_a_directory_with_something_in_it_is_left_alone(tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full/file").write_text("mine")
    result = statefun("new", "full", cwd=tmp_path)
    assert result.returncode == 2
    assert "full: expected nothing there, or an empty directory, found 'file'" in result.stderr
    assert files_of(tmp_path) == {"full/file"}
    (tmp_path / "file").write_text("mine")
    result = statefun("new", "file", cwd=tmp_path)
    assert result.returncode == 2 and "file: expected nothing there" in result.stderr
    (tmp_path / "empty").mkdir()
    projects.new(tmp_path / "empty")


@pytest.mark.parametrize("arguments, says", [
    (["new"], "expected one NAME"),
    (["new", "one", "two"], "expected one NAME, found 2"),
    (["new", "Hello"], "small letters"),
    (["new", "2nd"], "begins with a letter"),
    (["new", "a b"], "found 'a b'"),
    (["new", ".."], "found '..'"),
    (["new", "a" * 65], "at most 64"),
    (["new", "hello", "--language", "pyton"], "did you mean 'python'?"),
    (["new", "hello", "--language", "cobol"], "expected one of c|python|go|java|js, found 'cobol'"),
    (["new", "hello", "--kind", "embedded", "--language", "python"], "expected remote with --language python"),
    (["new", "hello", "--ingress", "mail"], "expected one of http|kafka"),
    (["new", "hello", "--colour", "red"], "there is no flag '--colour'"),
])
def test_what_makes_no_sense_is_refused_and_nothing_is_made(tmp_path, arguments, says):
    result = statefun(*arguments, cwd=tmp_path)
    assert result.returncode == 2
    assert says in result.stderr
    assert not list(tmp_path.iterdir())


def test_where_it_cannot_write_it_says_so(tmp_path):
    result = statefun("new", tmp_path / "none/hello")
    assert result.returncode == 1 and f"{tmp_path}/none/hello" in result.stderr


def test_help_and_completion_know_both_commands():
    shown = statefun("--help").stdout
    assert "  new " in shown and "  dev " in shown
    assert "c|python|go|java|js" in statefun("new", "--help").stdout
    assert "statefun-dev.yaml" in statefun("dev", "--help").stdout
    completion = statefun("reference", "completion").stdout
    assert "'new --language') COMPREPLY=($(compgen -W 'c python go java js'" in completion
    assert subprocess.run(["bash", "-n"], input=completion, text=True).returncode == 0
    assert "statefun new" in statefun("reference", "man").stdout
