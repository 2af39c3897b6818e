"""Functions in Python, tested by a C program through the harness: in order, and by chance."""
import os
import subprocess

from function_process import GREETER
from statefun_process import ROOT

PROGRAM = ROOT / "build/release/tests/harness_linked"


def run(url, **environment):
    return subprocess.run([PROGRAM, url], env={**os.environ, **environment}, capture_output=True, text=True,
                          timeout=120)


def test_the_greeter_in_python_is_tested_by_c(make_function):
    function = make_function(GREETER, "--egress", "kafka")
    tested = run(function.url, SF_SEEDS="30")
    assert tested.returncode == 0, tested.stderr


def test_where_nobody_is_is_said(make_function):
    function = make_function(GREETER, "--egress", "kafka")
    function.kill()
    tested = run(function.url)
    assert tested.returncode == 1
    assert function.url in tested.stderr and "refused" in tested.stderr
