"""Six of twenty streams have troubles: every record of all of them is accounted for, once, and in order."""
import base64
from collections import Counter

import pytest
from isolation import ANSWERS_400, DOWN, HANGS, HEALTHY, NAMES, NULL_KEY, STREAMS, TOMBSTONE, UNDECODABLE, Isolation, origin_of
from statefun_process import wait_for

COUNT = 40  # records of a stream
TROUBLES = (7, 27)


@pytest.fixture
def isolation(tmp_path, broker, unique):
    isolation = Isolation(tmp_path, broker, unique)
    yield isolation
    isolation.end()


def assert_in_order(records):
    last = {}
    for stream, number, _ in records:
        assert last.get((stream, number % NAMES), -1) < number
        last[stream, number % NAMES] = number


def test_every_record_is_accounted_for(isolation, make_statefun, unique):
    statefun = make_statefun(isolation.module).start("--application", unique, "--retry-backoff-max", "200ms")
    isolation.send(0, COUNT // 2, 10, True)
    statefun.kill()
    statefun.start("--application", unique, "--retry-backoff-max", "200ms")
    isolation.send(COUNT // 2, COUNT // 2, 10, True)

    # The healthy ones are through, whatever the others do.
    reader = isolation.broker.reader(isolation.out)
    records = []

    def healthy_are_through():
        record = reader.poll(0.1)
        if record is not None:
            records.append(origin_of(record[1]))
        return len({record[:2] for record in records if record[0] in HEALTHY}) == len(HEALTHY) * COUNT
    wait_for(healthy_are_through, 60, "all records of the healthy streams")
    assert all(stream != DOWN for stream, _, _ in records)

    # What is invalid, cannot be decoded or hangs is set aside; what answers 400 is parked.
    expected_letters = {(stream, number) for stream in (NULL_KEY, TOMBSTONE, UNDECODABLE) for number in TROUBLES}
    expected_letters.add((HANGS, 7))
    wait_for(lambda: len(statefun.letters()) == len(expected_letters), 60, "the dead letters")
    wait_for(lambda: "iso/f3/name-2" in statefun.command("address", "list"), 30, "that an address is parked")
    found = set()
    for letter in statefun.letters():
        if letter["kind"] == "failed":
            found.add(origin_of(base64.b64decode(letter["value"]["base64"]))[:2])
        else:
            words = letter["origin"].split(" ")  # topic T partition P offset O
            found.add((isolation.topics.index(words[1]), int(words[5])))
    assert found == expected_letters

    isolation.mend()
    assert "resumed: 1" in statefun.command("address", "resume", "--all")
    total = STREAMS * COUNT - len(expected_letters)
    records += [origin_of(value) for _, value in reader.read(total - len(records), 60)]
    records += [origin_of(value) for _, value in reader.read_rest()]
    reader.close()
    assert Counter(record[:2] for record in records) == Counter(
        (stream, number) for stream in range(STREAMS) for number in range(COUNT)
        if (stream, number) not in expected_letters)
    assert_in_order(records)
    assert {number for stream, number, _ in records if stream == ANSWERS_400} == set(range(COUNT))
    assert statefun.stop() == 0
