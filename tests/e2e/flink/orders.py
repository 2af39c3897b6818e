"""Random orders for the application of README.md, and what must have come of them: the same seed, the same orders."""
import random
from collections import Counter, defaultdict
from itertools import zip_longest

KEYS = ["ann", "bob", "Zoë", "key/with/slashes", "two words", "日本", "x" * 200, "0"]


class Model:
    """What each function emits, in order. Only what one sender causes has an order: hence the streams."""

    def __init__(self):
        self.streams = defaultdict(list)
        self.count = 0
        self.desks = {key: {"calls": 0, "sum": None, "answers": 0} for key in KEYS}
        self.balances, self.reminders, self.totals = (dict.fromkeys(KEYS, 0) for _ in range(3))

    def emit(self, key, text):
        self.streams[stream_of(key, text)].append(text)
        self.count += 1

    def remind(self, key, text):
        self.reminders[key] += 1
        self.emit(key, f"reminder {self.reminders[key]} {text} both/desk/{key}")

    def take_all(self, orders):
        for key, order in orders:
            self.take(key, order)

    def take(self, key, order):
        word, *rest = order.split(" ", 2)
        desk = self.desks[key]
        desk["calls"] += 1
        if word == "add":
            desk["sum"] = (desk["sum"] or 0) + int(rest[0])
        elif word == "drop":
            desk["sum"] = None
        elif word == "ask":
            self.balances[key] += int(rest[0])
            desk["answers"] += 1
            self.emit(key, f"answer {desk['answers']} {self.balances[key]} both/teller")
        elif word == "move":
            self.totals[rest[1]] += int(rest[0])
            self.emit(rest[1], f"moved {rest[0]} {key}")
        elif word in ("remind", "advance"):
            self.remind(key, rest[0])
        elif word == "hand":
            self.emit(key, f"taken {rest[0]}")
        elif word == "report":
            self.emit(key, "present -")
            self.emit(key, f"total {self.totals[key]}")
        self.emit(key, f"done {desk['calls']} {word} {'-' if desk['sum'] is None else desk['sum']} -")


def stream_of(key, text):
    """What is ordered: of a key's records those of one function; of those moved, of one that moves."""
    word, _, rest = text.partition(" ")
    return (key, word, rest.split(" ", 1)[1]) if word == "moved" else (key, word)


def streams_of(records):
    streams = defaultdict(list)
    for key, text in records:
        streams[stream_of(key, text)].append(text)
    return streams


def differences(expected, found):
    """Where each stream first is not as expected; empty if all are."""
    report = []
    for stream in sorted(expected.keys() | found.keys()):
        wanted, there = expected.get(stream, []), found.get(stream, [])
        for at, (one, other) in enumerate(zip_longest(wanted, there)):
            if one != other:
                report.append(f"{stream}, record {at} of {len(wanted)}: {other!r}, expected {one!r}")
                break
    return report


class Orders:
    def __init__(self, seed, count):
        self.random = random.Random(seed)
        self.names = Counter()
        self.stumbles = 800 / count  # eight or so: a minute's failures of one batch, and Flink starts the job again
        self.planned = defaultdict(list)
        self.orders = [self.order() for _ in range(count)]

    def name(self, key):
        """The key's own: as cancellation tokens, those of different keys do not disturb each other."""
        self.names[key] += 1
        return f"n{self.names[key]}"

    def number(self):
        return self.random.choice((self.random.randint(-100, 100), self.random.randint(-2**40, 2**40)))

    def order(self):
        """(key, text)"""
        key = self.random.choice(KEYS)
        planned = self.planned[key]
        word = self.random.choices(
            ("add", "ask", "move", "remind", "revoke", "plan", "advance", "hand", "drop", "brief", "stumble"),
            (20, 15, 15, 10, 10, 10, 10 if planned else 0, 5, 3, 5, self.stumbles))[0]
        if word in ("add", "ask"):
            return key, f"{word} {self.number()}"
        if word == "move":
            return key, f"move {self.number()} {self.random.choice(KEYS)}"
        if word in ("remind", "revoke", "hand"):
            return key, f"{word} {self.name(key)}"
        if word == "plan":
            planned.append(self.name(key))
            return key, f"plan {planned[-1]}"
        if word == "advance":
            return key, f"advance {planned.pop(self.random.randrange(len(planned)))}"
        if word == "stumble":
            return key, f"stumble {self.name(word)}"
        return key, word
