"""The application of README.md in each of the five languages: how it is run, and what its SDK lacks."""
import os
from pathlib import Path

from statefun_process import PROGRAM

HERE = Path(__file__).resolve().parent
BUILD = HERE.parents[2] / "build/sdk"
CACHE = Path(os.environ.get("STATEFUN_CACHE") or Path.home() / ".cache/statefun")


PROGRAMS = {
    "python": (HERE / "python/functions.py", {}),
    "go": (BUILD / "functions", {"run_by": ()}),
    "java": ("Functions", {"run_by": ("java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC",
                                      "-cp", f"{BUILD}/classes:{CACHE}/java-sdk/*")}),
    "javascript": (HERE / "javascript/functions.js", {"run_by": ("env", f"NODE_PATH={BUILD}/node_modules", "node")}),
    "c": (PROGRAM.parent / "tests/e2e/c/sdk", {"run_by": ()}),
}
# The one in C as an embedded module.
EMBEDDED, MODULE = "embedded", PROGRAM.parent / "tests/modules/sdk.so"
ALL = list(PROGRAMS)
WITHOUT_LONG_AND_DOUBLE = ["javascript"]


def start(make_function, language, *flags, **where):
    program, how = PROGRAMS[language]
    return make_function(program, *flags, **how, **where)
