"""Random trees of commands for `sdk/commands` (README.md), and what must have happened when all of them are done.

A seed gives the same trees each time. What the model says holds for every order in which they may run: sums do not
depend on it, and whether a cancellation comes in time is left open only where it is a race (`races`)."""
import random
from collections import Counter

INSTANCES = [f"i{number}" for number in range(100)]
DEPTH = 4
HOUR = 3_600_000


class Trees:
    def __init__(self, seed, count):
        self.random = random.Random(seed)
        self.names = 0
        self.sums = Counter()
        self.calls = Counter()
        self.emits = Counter()
        self.races = {}  # text that may be emitted, once: by whom
        self.trees = []
        for _ in range(count):
            id = self.instance()
            self.trees.append((id, self.list(id, DEPTH, True)))

    def instance(self):
        return self.random.choice(INSTANCES)

    def name(self):
        self.names += 1
        return f"n{self.names}"

    def list(self, id, depth, happens):
        """Commands for the instance; nothing is expected of those that are never to run."""
        self.calls[id] += happens
        kinds = [self.add, self.add, self.add, self.emit, self.emit]
        if depth > 0:
            kinds += [self.send, self.send, self.send_after, self.send_after, self.cancelled, self.race, self.stray]
        commands = [command for _ in range(self.random.randint(1, 4))
                    for command in self.random.choice(kinds)(id, depth, happens)]
        if self.random.random() < 0.005:  # rarely: it fails all that was sent together
            commands.insert(self.random.randrange(len(commands) + 1),
                            {"op": "fail", "name": self.name(), "times": self.random.randint(1, 2)})
        return commands

    def add(self, id, depth, happens):
        n = self.random.randint(-100, 100)
        self.sums[id] += n * happens
        return [{"op": "add", "n": n}]

    def emit(self, id, depth, happens):
        text = self.name()
        self.emits[id, text] += happens
        return [{"op": "emit", "text": text}]

    def send(self, id, depth, happens, **when):
        to = self.instance()
        return [{"op": "send", "to": to, "do": self.list(to, depth - 1, happens), **when}]

    def send_after(self, id, depth, happens):
        token = {"token": self.name()} if self.random.random() < 0.5 else {}
        return self.send(id, depth, happens, after=self.random.choice((0, 1, 20, 300)), **token)

    def cancelled(self, id, depth, happens):
        token = self.name()
        return self.send(id, depth, False, after=HOUR, token=token) + self.cancel(id, token, happens)

    def cancel(self, id, token, happens):
        """At once, or in a message to oneself, which may be delayed."""
        command = {"op": "cancel", "token": token}
        after = self.random.choice((None, {}, {"after": 5}))
        if after is None:
            return [command]
        self.calls[id] += happens
        return [{"op": "send", "to": id, "do": [command], **after}]

    def race(self, id, depth, happens):
        to, text, token = self.instance(), self.name(), self.name()
        if happens:
            self.races[text] = to
        return [{"op": "send", "to": to, "do": [{"op": "emit", "text": text}], "after": 5, "token": token},
                *self.cancel(id, token, happens)]

    def stray(self, id, depth, happens):
        return [{"op": "cancel", "token": "nobody has this"}]

    def faults(self, sums, calls, emits):
        """What differs from what was expected, of sums and calls by id and emits by (id, text); empty if nothing."""
        won = Counter(self.races[text] for id, text in emits if text in self.races)
        expected = self.emits + Counter({(id, text): 1 for id, text in emits if self.races.get(text) == id})
        found = [f"{id}: sum {sums[id]}, expected {self.sums[id]}" for id in INSTANCES if sums[id] != self.sums[id]]
        for id in INSTANCES:
            if calls[id] != self.calls[id] + won[id]:
                found.append(f"{id}: {calls[id]} calls, expected {self.calls[id]} and {won[id]} that were not cancelled")
        found += [f"emitted {count} times too few: {what}" for what, count in (expected - emits).items()]
        found += [f"emitted {count} times too often: {what}" for what, count in (emits - expected).items()]
        return found
