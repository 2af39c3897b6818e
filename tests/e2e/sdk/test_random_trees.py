"""Functions that do what random trees of commands say, while the runtime and they themselves are killed: in the end
every state and every record is as the model says. SEED gives the same trees again; TREES is how many."""
import http.client
import json
import os
import random
import threading
import time
from collections import Counter

import languages
import pytest
from statefun_process import EGRESS, INGRESS, PLAYGROUND, Background, wait_for
from test_sdks import MODULE
from trees import INSTANCES, Trees

TREES = int(os.environ.get("TREES", "1000"))
KILLS = TREES // 50  # at most, so that a machine on which each start takes long comes to an end
CLIENTS = 8


class Clients:
    """Send each tree until it is answered; the idempotency key makes it count once."""

    def __init__(self, trees, address):
        self.left = list(enumerate(trees))
        self.lock = threading.Lock()
        self.address = address  # None while the runtime is away
        self.threads = [Background(self.run) for _ in range(CLIENTS)]

    def done(self):
        ended = [thread for thread in self.threads if not thread.is_alive()]
        for thread in ended:
            thread.finish()
        return len(ended) == CLIENTS

    def run(self):
        while True:
            with self.lock:
                if not self.left:
                    return
                number, (id, commands) = self.left.pop()
            body = json.dumps({"do": commands})
            while not self.offer(number, id, body):
                time.sleep(0.02)

    def offer(self, number, id, body):
        connection = None
        try:
            if self.address is None:
                return False
            connection = http.client.HTTPConnection(self.address, timeout=10)
            connection.request("POST", f"/in/sdk/commands/{id}", body,
                               {"Content-Type": "sdk.types/commands", "Idempotency-Key": str(number)})
            status = connection.getresponse().status
            assert status in (202, 429, 503), f"tree {number} was answered with status {status}"
            return status == 202
        except (OSError, http.client.HTTPException):
            return False
        finally:
            if connection:
                connection.close()


def is_quiet(statefun):
    return (statefun.metric("statefun_functions_num_backlog") == 0
            and statefun.metric("statefun_delayed_messages") == 0)


def fetch_all(statefun, emits):
    """Takes all there is: adds to `emits`, and returns the reports of states."""
    connection = http.client.HTTPConnection(statefun.listeners[EGRESS], timeout=10)
    states = {}
    while True:
        connection.request("GET", "/out")
        response = connection.getresponse()
        body = response.read()
        if response.status == 404:
            return states
        record = json.loads(body)
        if "emit" in record:
            emits[record["id"], record["emit"]] += 1
        else:
            states[record["id"]] = record


def states_of_all(statefun, emits):
    for id in INSTANCES:
        status, _, _ = statefun.post(f"/in/sdk/commands/{id}", b'{"do": [{"op": "report"}]}', "sdk.types/commands")
        assert status == 202
    states = {}

    def all_told():
        states.update(fetch_all(statefun, emits))
        return len(states) == len(INSTANCES)
    wait_for(all_told, 60)
    return states


def assert_all_is_as_expected(statefun, trees, seconds=60):
    emits, asked, deadline = Counter(), 0, time.monotonic() + seconds
    while True:
        wait_for(lambda: is_quiet(statefun), seconds, "quiet")
        states = states_of_all(statefun, emits)
        asked += 1
        faults = trees.faults({id: states[id]["sum"] for id in INSTANCES},
                              {id: states[id]["calls"] - asked for id in INSTANCES}, emits)
        if not faults:
            return
        assert time.monotonic() < deadline, "\n".join(faults[:20])
        time.sleep(0.2)


def go_through_kills_and_failures(statefun, function=None, *flags):
    """`function`: what is killed besides; `flags`: of each start."""
    seed = int(os.environ.get("SEED", time.time_ns() % 1_000_000))
    print(f"SEED={seed}")
    trees, chance = Trees(seed, TREES), random.Random(seed)
    statefun.start(*flags)
    clients, kills = Clients(trees.trees, statefun.listeners[INGRESS]), 0
    while not clients.done():
        time.sleep(chance.uniform(0.05, 0.6))
        if kills == KILLS:
            continue
        if function and chance.random() < 0.3:
            function.kill()
            function.start()
        clients.address = None
        statefun.kill()
        statefun.start("--workers", str(chance.choice((1, 2, 3))), *flags)
        clients.address = statefun.listeners[INGRESS]
        kills += 1
    wait_for(lambda: is_quiet(statefun), 300, "quiet")
    statefun.kill()  # nothing may come of this
    statefun.start(*flags)
    assert_all_is_as_expected(statefun, trees)
    print(f"{TREES} trees, {sum(trees.calls.values())} messages, {kills} kills")


@pytest.mark.parametrize("language", languages.ALL)
def test_random_trees_through_kills_and_failures(make_function, make_statefun, language):
    function = languages.start(make_function, language)
    go_through_kills_and_failures(make_statefun(MODULE.format(port=function.port)), function)


def test_random_trees_of_asynchronous_operations(make_function, make_statefun):
    function = languages.start(make_function, "c", "--deferring")
    go_through_kills_and_failures(make_statefun(MODULE.format(port=function.port)), function)


@pytest.mark.parametrize("deferring", (False, True), ids=("directly", "deferring"))
def test_random_trees_of_an_embedded_module(make_statefun, tmp_path, deferring):
    config = tmp_path / "config.yaml"
    config.write_text("statefun.module.global-config.deferring: yes\n" if deferring else "")
    go_through_kills_and_failures(make_statefun(PLAYGROUND), None, "--config", config, "-m", languages.MODULE)
