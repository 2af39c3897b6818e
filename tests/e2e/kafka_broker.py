"""A real Kafka broker (tools/kafka-broker), and the client that Python's users have, to fill and read topics."""
import subprocess
import time
from pathlib import Path

from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

TOOL = Path(__file__).resolve().parents[2] / "tools/kafka-broker"


class Broker:
    def __init__(self, directory, *flags):
        self.directory = str(directory)
        self.flags = flags  # of its starts
        self.address = None

    def run(self, command, *flags):
        return subprocess.run([TOOL, command, "--dir", self.directory, *flags], check=True, timeout=120,
                              stdout=subprocess.PIPE, text=True).stdout.strip()

    def start(self):
        self.address = self.run("start", *self.flags)
        return self

    def stop(self):
        self.run("stop")

    def kill(self):
        self.run("kill")

    def make_topic(self, name, partitions=1, **config):
        admin = AdminClient({"bootstrap.servers": self.address})
        topic = NewTopic(name, partitions, 1, config={k.replace("_", "."): v for k, v in config.items()})
        admin.create_topics([topic])[name].result(30)

    def make_groups(self, topic, count):
        """Consumer groups with an offset in that topic."""
        admin = AdminClient({"bootstrap.servers": self.address})
        offset = [TopicPartition(topic, 0, 0)]
        made = [admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(f"group-{i}", offset)])
                for i in range(count)]
        for futures in made:
            for future in futures.values():
                future.result(60)

    def delete_topic(self, name):
        AdminClient({"bootstrap.servers": self.address}).delete_topics([name])[name].result(30)

    def producer(self, **config):
        return Producer({"bootstrap.servers": self.address, "linger.ms": 1, **config})

    def produce(self, topic, records, **placement):
        """(key, value) pairs, in order."""
        producer = self.producer()
        for key, value in records:
            producer.produce(topic, key=key, value=value, **placement)
            producer.poll(0)
        assert producer.flush(30) == 0

    def committed(self, group, topic, partition=0):
        consumer = Consumer({"bootstrap.servers": self.address, "group.id": group})
        try:
            return consumer.committed([TopicPartition(topic, partition)], timeout=10)[0].offset
        finally:
            consumer.close()

    def reader(self, topic, text=True):
        return Reader(self.address, topic, text)

    def read(self, topic, count, seconds=30, text=True):
        """At least `count` committed records from the topic's beginning, and whatever more there is."""
        reader = self.reader(topic, text)
        try:
            records = reader.read(count, seconds)
            return records + reader.read_rest()
        finally:
            reader.close()


class Reader:
    """Reads what is committed (isolation.level=read_committed), each partition in order."""

    def __init__(self, address, topic, text=True):
        self.text = text
        self.consumer = Consumer({
            "bootstrap.servers": address, "group.id": "reader", "enable.auto.commit": False,
            "isolation.level": "read_committed", "auto.offset.reset": "earliest",
            "enable.partition.eof": True, "topic.metadata.refresh.interval.ms": 500})
        self.topic = topic
        deadline = time.monotonic() + 30
        while True:
            known = self.consumer.list_topics(topic, timeout=10).topics[topic]
            if known.error is None and known.partitions:
                break
            assert time.monotonic() < deadline, f"topic {topic} does not come into being"
            time.sleep(0.1)
        self.partitions = sorted(known.partitions)
        self.at_end = set()
        self.partitions_of = {}  # by key: where its records are
        self.consumer.assign([TopicPartition(topic, partition, 0) for partition in self.partitions])

    def poll(self, seconds):
        """The next record as (key, value), or None."""
        message = self.consumer.poll(seconds)
        if message is None:
            return None
        if message.error():
            if message.error().code() == KafkaError._PARTITION_EOF:
                self.at_end.add(message.partition())
            return None
        self.at_end.discard(message.partition())
        key, value = message.key(), message.value()
        key = key.decode() if key is not None else None
        self.partitions_of.setdefault(key, set()).add(message.partition())
        return key, value.decode() if self.text else value

    def read(self, count, seconds=30):
        records, deadline = [], time.monotonic() + seconds
        while len(records) < count:
            record = self.poll(0.1)
            if record is not None:
                records.append(record)
            assert time.monotonic() < deadline, \
                f"{len(records)} of {count} records of {self.topic} came within {seconds} s"
        return records

    def read_rest(self, quiet_seconds=1.0):
        """What comes until nothing has come for a while."""
        records, quiet_since = [], time.monotonic()
        while time.monotonic() - quiet_since < quiet_seconds:
            record = self.poll(0.1)
            if record is not None:
                records.append(record)
                quiet_since = time.monotonic()
        return records

    def close(self):
        self.consumer.close()
