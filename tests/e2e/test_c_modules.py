"""Embedded modules in C: ingresses, routers and egresses of shared libraries, and modules that cannot be used."""
import os
import random
import re
import shutil
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest
from statefun_process import PROGRAM, wait_for

MODULES = PROGRAM.parent / "tests/modules"
KILLS = int(os.environ.get("KILLS", "20"))
NUMBERS = 1000 * KILLS

PLAYGROUND = """
kind: io.statefun.playground.v1/ingress
spec: {port: 0}
---
kind: io.statefun.playground.v1/egress
spec: {port: 0, topics: [out]}
"""


@pytest.fixture
def make(make_statefun, tmp_path):
    """A runtime of libraries: what it is started with comes first."""
    def make(*libraries, module="# nothing\n", **config):
        statefun = make_statefun(module)
        file = tmp_path / "config.yaml"
        file.write_text("".join(f"statefun.module.global-config.{key}: {value}\n" for key, value in config.items()))
        flags = ["--config", file]
        for library in libraries:
            flags += ["-m", MODULES / f"{library}.so"]
        return statefun, flags
    return make


def read_lines(path):
    """What counting.c's egress has written: (epoch, nth, id, count, total), and the epochs of its batches."""
    records, batches = [], []
    for line in path.read_text().splitlines():
        if line.startswith("#"):
            batches.append(int(line[1:]))
        else:
            epoch, nth, id, count, total = line.split()
            records.append((int(epoch), int(nth), id, int(count), int(total)))
    return records, batches


def count_records(path):
    """How many there are so far; the last line may be half a line, while it is written and after a kill."""
    return sum(not line.startswith("#") for line in path.read_text().splitlines())


def test_no_kill_makes_a_record_count_twice_or_not_at_all(make, tmp_path):
    lines = tmp_path / "lines"
    statefun, flags = make("counting", numbers=NUMBERS, lines=lines)
    seed = int(os.environ.get("SEED", time.time_ns() % 1_000_000))
    print(f"SEED={seed}")
    generator, busy_lives = random.Random(seed), 0
    for life in range(KILLS):
        statefun.start(*flags, "--workers", str(generator.choice((1, 2, 3))))
        before = lines.stat().st_size if lines.exists() else 0
        time.sleep(generator.choice((0, 0.05, 0.3)) * generator.random())
        if life % 3 == 0:
            wait_for(lambda: lines.exists() and lines.stat().st_size > before, 30, "a delivery")
        statefun.kill()
        busy_lives += lines.exists() and lines.stat().st_size > before
    written = count_records(lines)
    print(f"{written} records of {6 * NUMBERS}; {busy_lives} of {KILLS} were killed after they had delivered some")
    assert busy_lives > KILLS / 4
    assert written < 6 * NUMBERS, "the load was over before the kills were"

    statefun.start(*flags, "--workers", "2")
    wait_for(lambda: count_records(lines) >= 6 * NUMBERS, 120, "the last record")
    wait_for(lambda: statefun.metric("statefun_egress_outbox_records", egress="example/lines") == 0)
    assert statefun.metric("statefun_module_ingress_rejected_total") == 0
    assert statefun.stop() == 0
    records, batches = read_lines(lines)
    assert len(records) == 6 * NUMBERS
    assert batches == sorted(set(batches))
    names = [(epoch, nth) for epoch, nth, *_ in records]
    assert names == sorted(set(names)), "a record has the name of another one"
    last = {}
    for _, _, id, count, total in records:
        assert count == last.get(id, (0, 0))[0] + 1, id
        last[id] = count, total
    whole = NUMBERS * (NUMBERS - 1) // 2
    assert last["all"] == (2 * NUMBERS, 2 * whole)
    assert last["partition-0"] == last["partition-1"] == (NUMBERS, whole)
    for n in range(11):
        assert last[f"mod-{n}"][1] == 2 * sum(range(n, NUMBERS, 11))


def test_figures_of_all_parts_are_shown(make, tmp_path):
    statefun, flags = make("counting", numbers=100, lines=tmp_path / "lines")
    statefun.start(*flags, "--workers", "2")
    wait_for(lambda: statefun.metric("statefun_egress_records_total", egress="example/lines") == 600)
    for partition in "01":
        assert statefun.metric("statefun_module_ingress_records_total", ingress="example/numbers",
                               partition=partition) == 100
    assert statefun.metric("statefun_module_ingress_bytes_total") == 1600
    assert statefun.metric("statefun_functions_counter", namespace="example", name="sum", counter="summed") == 600
    assert statefun.metric("statefun_functions_in_total", name="sum") == 600
    assert statefun.get("/healthz")[0] == 200
    assert statefun.stop() == 0
    # The next start goes on behind the last record: nothing is counted, or written, again.
    statefun.start(*flags)
    time.sleep(0.3)
    assert statefun.metric("statefun_module_ingress_records_total") == 0
    assert len(read_lines(tmp_path / "lines")[0]) == 600


def test_what_fails_is_tried_again_and_counts_once(make, tmp_path):
    lines = tmp_path / "lines"
    statefun, flags = make("failing", lines=lines)
    statefun.start(*flags)
    wait_for(lambda: lines.exists() and len(lines.read_text().split()) >= 99, 30, "the last record")
    assert lines.read_text().split() == [str(n) for n in range(100) if n != 13]
    log = statefun.log()
    said = [line for line in log.splitlines() if "an ingress has failed" in line]
    assert len(said) == 1 and "ingress=example/flaky partition=0" in said[0] and "the cable is out" in said[0]
    said = [line for line in log.splitlines() if "an egress has failed" in line]
    assert len(said) == 1 and "egress=example/flaky call=deliver" in said[0] and "no paper" in said[0]
    assert len([line for line in log.splitlines() if "an egress works again" in line]) == 1
    assert statefun.metric("statefun_module_ingress_rejected_total", ingress="example/flaky") == 1
    assert statefun.metric("statefun_module_ingress_failures_total") == 9
    assert statefun.metric("statefun_egress_aborted_total", egress="example/flaky") == 3
    assert statefun.metric("statefun_dead_letters") == 1
    letters = statefun.get("/deadletters")[2].decode()
    assert "13 is no number to be had" in letters
    assert "partition 0, before position 14" in letters
    assert "example/flaky" in letters
    wait_for(lambda: "an ingress works again" in statefun.log(), 20, "the end of the episode")


def test_routers_get_the_requests_of_the_http_ingress(make):
    statefun, flags = make("routing", module=PLAYGROUND, ingress="io.statefun.playground/ingress")
    statefun.start(*flags, "--workers", "2")
    for _ in range(2):  # the second is a repetition, which routers see, too
        assert statefun.post("/in/example/say/me", b"hello", Idempotency_Key="k")[0] == 202
    expected = {"me: direct", "one: routed me hello example/say", "two: routed me hello example/say"}
    assert set(statefun.fetch_all("out", 3)) == expected
    status, _, body = statefun.post("/in/example/say/me", b"bad")
    assert status == 400 and b"a bad record" in body
    assert statefun.post("/in/example/nobody/me", b"hello")[0] == 404
    assert statefun.post("/in/example/say/me", b"again")[0] == 202
    expected = {text.replace("hello", "again") for text in expected}
    assert set(statefun.fetch_all("out", 3)) == expected
    assert statefun.fetch("out") is None
    assert statefun.metric("statefun_routers_counter", ingress="io.statefun.playground/ingress",
                           counter="routed bytes") == 20  # also of what nobody serves
    assert 'WARN  a record of 5 bytes ingress=io.statefun.playground/ingress' in statefun.log()


KAFKA = """---
kind: io.statefun.kafka.v1/ingress
spec:
  id: example/kafka
  address: {address}
  consumerGroupId: {group}
  startupPosition: {{type: earliest}}
  topics: [{{topic: {topic}, valueType: example/raw{targets}}}]
"""


@pytest.mark.parametrize("targets", ["", ", targets: [example/say]"])
def test_routers_get_the_records_of_a_kafka_ingress(make, broker, unique, targets):
    broker.make_topic(unique, 1)
    broker.produce(unique, [("ann", "first"), ("ben", "bad"), (None, "keyless"), ("ann", "last")])
    statefun, flags = make("routing", ingress="example/kafka",
                           module=PLAYGROUND + KAFKA.format(address=broker.address, group=unique, topic=unique,
                                                            targets=targets))
    statefun.start(*flags)
    expected = Counter()
    for key, value in [("ann", "first"), ("ann", "last")] + ([] if targets else [("none", "keyless")]):
        for id in ("one", "two"):
            expected[f"{id}: routed {key} {value} {unique}"] += 1
        if targets:
            expected[f"{key}: direct"] += 1
    assert Counter(statefun.fetch_all("out", expected.total())) == expected
    assert statefun.fetch("out") is None
    wait_for(lambda: statefun.metric("statefun_kafka_ingress_rejected_total") == (2 if targets else 1))
    assert statefun.metric("statefun_routers_counter", ingress="example/kafka") >= len("firstlast")
    letters = statefun.get("/deadletters")[2].decode()
    assert "a bad record" in letters and f"topic {unique} partition 0 offset 1" in letters
    assert ("the record has no key" in letters) == bool(targets)


def test_an_ingress_that_does_not_return_is_left_behind(make):
    statefun, flags = make("faulty_stuck")
    statefun.start(*flags)
    assert statefun.stop() == 0
    assert "an ingress does not return though the runtime stops" in statefun.log()


# --- what cannot be used ---

INGRESS = "kind: io.statefun.playground.v1/ingress\nspec: {port: 0}\n"


def check(tmp_path, *libraries, module=INGRESS):
    """Exit codes and words of `check` and `run`, which both refuse the modules, or take them."""
    file = tmp_path / "module.yaml"
    file.write_text(module)
    flags = ["-m", file]
    for library in libraries:
        flags += ["-m", library]
    done = subprocess.run([PROGRAM, "check", *flags], capture_output=True, text=True, timeout=60)
    if done.returncode:
        run = subprocess.run([PROGRAM, "run", *flags, "--data", tmp_path / "data"], capture_output=True, text=True,
                             timeout=60)
        assert (run.returncode, run.stderr) == (done.returncode, done.stderr)
    return done.returncode, done.stdout + done.stderr


def test_a_module_that_cannot_be_used_says_why(tmp_path):
    def refused(library, *parts):
        code, text = check(tmp_path, library)
        assert code == 2
        for part in (str(library), *parts):
            assert part in text
    refused(MODULES / "faulty_version.so", "was built for version 999 of the module interface, this runtime has "
            "version 1: build it with this runtime's headers")
    refused(MODULES / "faulty_nothing.so", "is no module: expected the symbol sf_module_entry")
    refused(MODULES / "faulty_configure.so", "the module's configure function failed: it is not in the mood")
    refused(MODULES / "counting.so", "the module's configure function failed: expected 'lines' in the configuration")
    text = tmp_path / "text.so"
    text.write_text("this is no library")
    refused(text, "cannot be opened")
    refused(MODULES / "faulty_astray.so", "a router is bound to ingress 'example/nobody', which no module defines")


@pytest.mark.parametrize("fault, name", [("function", "function type example/f"), ("ingress", "ingress example/in"),
                                         ("egress", "egress example/out")])
def test_a_name_is_bound_by_one_module(tmp_path, fault, name):
    twin = tmp_path / "twin.so"
    shutil.copy(MODULES / f"faulty_{fault}.so", twin)
    code, text = check(tmp_path, MODULES / f"faulty_{fault}.so", twin)
    assert code == 2
    assert re.search(f"twin.so.*a binding for {name} exists already", text)


def test_a_name_is_bound_by_a_module_or_a_file(tmp_path):
    code, text = check(tmp_path, MODULES / "faulty_function.so", module=INGRESS + """---
kind: io.statefun.endpoints.v2/http
spec: {functions: example/f, urlPathTemplate: "http://h:1/f"}
""")
    assert code == 2
    assert "A binding for the key" in text and "example/f' was previously defined" in text
    assert "faulty_function.so too" in text


def test_check_counts_what_libraries_bind(tmp_path):
    code, text = check(tmp_path, MODULES / "faulty_mute.so", module="# nothing\n")
    assert code == 0
    assert text.count("ingress 'example/in' has no router: its records go nowhere") == 1
    assert "good: 1 file, 1 library, 1 embedded function, 0 endpoints, 1 ingress, 0 egresses" in text


def test_an_ingress_without_a_router_is_warned_of_at_the_start(make):
    statefun, flags = make("faulty_mute")
    statefun.start(*flags)
    assert statefun.log().count("ingress 'example/in' has no router: its records go nowhere") == 1
    assert statefun.stop() == 0
