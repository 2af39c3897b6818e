"""Apache Flink Stateful Functions as released, in one process (OnFlink.java), to be used as a statefun of ours is."""
import os
import signal
import subprocess
from pathlib import Path

from statefun_process import ROOT, wait_for

CLASSES = ROOT / "build/flink"
CACHE = Path(os.environ.get("STATEFUN_CACHE") or Path.home() / ".cache/statefun")
# What Flink reaches into of Java's own, and how it logs.
JVM = [*(f"--add-opens=java.base/java.{package}=ALL-UNNAMED" for package in ("lang", "util", "util.concurrent.atomic")),
       "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-Dorg.slf4j.simpleLogger.showDateTime=true",
       "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS"]
# The compiler and collector that start soonest.
SHORT_LIVED = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx768m"]


class Flink:
    def __init__(self, directory, module, jvm=SHORT_LIVED, classes=(), settings=()):
        """`classes`: what is on the class path besides; `settings`: those of Flink."""
        self.directory = Path(directory)
        self.directory.mkdir()
        self.module = self.directory / "module.yaml"
        self.module.write_text(module)
        self.log_file = self.directory / "flink.log"
        self.process = None
        self.jvm = jvm
        self.class_path = ":".join(map(str, [*classes, CLASSES, CACHE / "flink/*"]))
        self.settings = settings

    def start(self, seconds=60):
        """Goes on from the last checkpoint, if there is one."""
        checkpoints = self.directory / "checkpoints"
        last = max(checkpoints.glob("*/chk-*/_metadata"), key=lambda file: file.stat().st_mtime, default=None)
        settings = [*self.settings, *([f"execution.savepoint.path={last.parent}"] if last else [])]
        temporary = self.directory / "tmp"
        temporary.mkdir(exist_ok=True)
        lives = self.lives()
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen(
                ["java", *JVM, *self.jvm, f"-Djava.io.tmpdir={temporary}", "-cp", self.class_path, "OnFlink",
                 self.module, checkpoints, *settings], stdout=log, stderr=log)

        def runs():
            assert self.process.poll() is None, f"it ended\n{self.log()}"
            return self.lives() > lives
        wait_for(runs, seconds, "the start of Flink")
        return self

    def lives(self):
        return self.log().splitlines().count("running") if self.log_file.exists() else 0

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process = None

    def stop(self, seconds=30):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(seconds)
        self.process = None
        return code

    def end(self):
        if self.process:
            self.kill()

    def log(self):
        return self.log_file.read_text(errors="replace")
