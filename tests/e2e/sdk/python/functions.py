"""The application of ../README.md with the official Python SDK.

    python functions.py --port PORT [--tolerant]
"""
import argparse
import asyncio
from collections import Counter
from datetime import timedelta

from aiohttp import web
from google.protobuf.duration_pb2 import Duration
from statefun import (BoolType, DoubleType, FloatType, IntType, LongType, Message, RequestReplyHandler, StatefulFunctions,
                      StringType, ValueSpec, egress_message_builder, kafka_egress_message, kinesis_egress_message,
                      make_json_type, make_protobuf_type, message_builder, simple_type)

WORDS = simple_type("sdk.types/words", serialize_fn=lambda words: " ".join(words).encode(),
                    deserialize_fn=lambda octets: octets.decode().split(" "))
COMMANDS = make_json_type("sdk.types/commands")
DURATION = make_protobuf_type(Duration)
RECORD = make_json_type("io.statefun.playground/EgressRecord")
REPORT = make_json_type("sdk.types/report")
STATES = {"an_int": IntType, "a_long": LongType, "a_float": FloatType, "a_double": DoubleType, "a_bool": BoolType,
          "a_string": StringType, "some_words": WORDS, "a_duration": DURATION}
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)

arguments = argparse.ArgumentParser()
arguments.add_argument("--port", type=int, required=True)
arguments.add_argument("--tolerant", action="store_true")
options = arguments.parse_args()
functions = StatefulFunctions()


def report(context, **fields):
    payload = REPORT.serializer().serialize({"id": context.address.id, **fields}).decode()
    context.send_egress(egress_message_builder(
        target_typename="io.statefun.playground/egress", value={"topic": "out", "payload": payload}, value_type=RECORD))


def caller_of(context):
    caller = context.caller
    return f"{caller.typename}/{caller.id}" if caller else None


@functions.bind("sdk/types", specs=[ValueSpec(name=name, type=type) for name, type in STATES.items()])
async def types(context, message):
    for name, type in STATES.items():
        if message.is_type(type):
            old, new = getattr(context.storage, name), message.as_type(type)
            setattr(context.storage, name, new)
            for value in (old, new):
                if value is not None:
                    context.send(message_builder(target_typename="sdk/mirror", target_id=context.address.id,
                                                 value=value, value_type=type))
            return
    if not options.tolerant:
        raise TypeError(f"nothing is known of {message.value_typename()}")
    report(context, unreadable=message.value_typename())


@functions.bind("sdk/mirror")
def mirror(context, message):
    report(context, type=message.value_typename(), hex=message.raw_value().hex(), caller=caller_of(context))


@functions.bind("sdk/forwarder")
def forwarder(context, message):
    context.send(Message("sdk/mirror", context.address.id, message.typed_value))


@functions.bind("sdk/expiring", specs=[
    ValueSpec(name="always", type=IntType),
    ValueSpec(name="day_written", type=IntType, expire_after_write=DAY),
    ValueSpec(name="day_called", type=IntType, expire_after_call=DAY),
    ValueSpec(name="second_written", type=IntType, expire_after_write=SECOND),
    ValueSpec(name="second_called", type=IntType, expire_after_call=SECOND)])
async def expiring(context, message):
    names = ("always", "day_written", "day_called", "second_written", "second_called")
    word = message.as_string()
    if word == "set":
        for name in names:
            setattr(context.storage, name, 1)
    if word == "delete":
        del context.storage.always
    report(context, present=[name for name in names if getattr(context.storage, name) is not None])


failures = Counter()


def run(context, command):
    op = command["op"]
    if op == "add":
        context.storage.sum = (context.storage.sum or 0) + command["n"]
    elif op == "send":
        message = message_builder(target_typename="sdk/commands", target_id=command["to"],
                                  value={"do": command["do"]}, value_type=COMMANDS)
        if "after" in command:
            context.send_after(timedelta(milliseconds=command["after"]), message, command.get("token", ""))
        else:
            context.send(message)
    elif op == "cancel":
        context.cancel_delayed_message(command["token"])
    elif op == "fail":
        failures[command["name"]] += 1
        if failures[command["name"]] <= command["times"]:
            raise RuntimeError(command["name"])
    elif op == "emit":
        report(context, emit=command["text"])
    elif op == "report":
        report(context, sum=context.storage.sum or 0, calls=context.storage.calls, caller=caller_of(context))
    else:
        raise ValueError(op)


@functions.bind("sdk/commands", specs=[ValueSpec(name="sum", type=IntType), ValueSpec(name="calls", type=IntType)])
async def commands(context, message):
    context.storage.calls = (context.storage.calls or 0) + 1
    for command in message.as_type(COMMANDS)["do"]:
        run(context, command)


waiting = []


@functions.bind("sdk/meeting")
async def meeting(context, message):
    if message.as_string() == "alone":
        return report(context, met=1)
    here = asyncio.get_running_loop().create_future()
    waiting.append(here)
    if len(waiting) == 3:
        for somebody in waiting:
            somebody.set_result(None)
        waiting.clear()
    await asyncio.wait_for(here, 30)
    report(context, met=3)


@functions.bind("sdk/egresses")
async def egresses(context, message):
    topic, id = message.as_string(), context.address.id
    for value in ("text", b"\x00\xff", 258, 1.5):
        context.send_egress(kafka_egress_message(typename="sdk/kafka", topic=topic, key=id, value=value))
    context.send_egress(kafka_egress_message(typename="sdk/kafka", topic=topic, value=["no", "key"], value_type=WORDS))
    context.send_egress(kinesis_egress_message(typename="sdk/kinesis", stream=topic, value="text", partition_key=id,
                                               explicit_hash_key="123"))


def only(name):
    """Functions with a path of their own: their handler knows no other."""
    alone = StatefulFunctions()

    @alone.bind(f"path/{name}")
    async def function(context, message):
        report(context, function=f"path/{name}")
    return alone


def serve(handle):
    """`handle` makes a reply of the bytes of a request, in time."""
    async def answer(request):
        return web.Response(body=await handle(await request.read()), content_type="application/octet-stream")
    return answer


def handle_sync(functions):
    """As servers do that have threads, and no event loop."""
    handler = RequestReplyHandler(functions)
    return lambda request: asyncio.to_thread(handler.handle_sync, request)


application = web.Application(client_max_size=64 << 20)
application.add_routes([web.post("/statefun", serve(RequestReplyHandler(functions).handle_async)),
                        *(web.post(f"/functions/{name}", serve(handle_sync(only(name)))) for name in ("one", "two"))])
web.run_app(application, host="127.0.0.1", port=options.port, print=None, access_log=None)
