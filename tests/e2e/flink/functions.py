"""The application of README.md with the official Python SDK.

    python functions.py --port PORT --topic TOPIC
"""
import argparse
from datetime import timedelta

from aiohttp import web
from statefun import (IntType, LongType, RequestReplyHandler, StatefulFunctions, StringType, ValueSpec,
                      kafka_egress_message, message_builder, simple_type)

TEXT = simple_type("both/text", serialize_fn=str.encode, deserialize_fn=bytes.decode)
SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)
SOON = timedelta(milliseconds=50)

arguments = argparse.ArgumentParser()
arguments.add_argument("--port", type=int, required=True)
arguments.add_argument("--topic", required=True)
options = arguments.parse_args()
functions = StatefulFunctions()
stumbled = set()


def emit(context, text):
    context.send_egress(kafka_egress_message(typename="both/out", topic=options.topic, key=context.address.id,
                                             value=text))


def message(function, id, value, type=TEXT):
    return message_builder(target_typename=function, target_id=id, value=value, value_type=type)


@functions.bind("both/desk", specs=[
    ValueSpec(name="calls", type=IntType, expire_after_call=DAY),
    ValueSpec(name="sum", type=LongType, expire_after_write=HOUR),
    ValueSpec(name="answers", type=IntType),
    ValueSpec(name="written", type=StringType, expire_after_write=SECOND),
    ValueSpec(name="called", type=StringType, expire_after_call=SECOND)])
async def desk(context, order):
    id, storage = context.address.id, context.storage
    if order.is_long():
        storage.answers = (storage.answers or 0) + 1
        emit(context, f"answer {storage.answers} {order.as_long()} {context.caller.typename}")
        return
    word, *rest = order.as_type(TEXT).split(" ", 2)
    storage.calls = (storage.calls or 0) + 1
    if word == "add":
        storage.sum = (storage.sum or 0) + int(rest[0])
    elif word == "drop":
        del storage.sum
    elif word == "stumble":
        if rest[0] not in stumbled:
            stumbled.add(rest[0])
            raise RuntimeError(f"stumbled over {rest[0]}")
    elif word == "brief":
        storage.written = storage.called = "x"
    elif word == "ask":
        context.send(message("both/teller", id, int(rest[0]), LongType))
    elif word == "move":
        context.send(message("both/total", rest[1], int(rest[0]), LongType))
    elif word == "remind":
        context.send_after(SOON, message("both/reminder", id, rest[0]))
    elif word == "revoke":
        context.send_after(SOON, message("both/reminder", id, rest[0]), rest[0])
        context.cancel_delayed_message(rest[0])
    elif word == "plan":
        context.send_after(HOUR, message("both/reminder", id, f"too late: {rest[0]}"), rest[0])
    elif word == "advance":
        context.cancel_delayed_message(rest[0])
        context.send_after(SOON, message("both/reminder", id, rest[0]), rest[0])
    elif word == "hand":
        context.send_after(HOUR, message("both/reminder", id, f"too late: {rest[0]}"), rest[0])
        context.send(message("both/teller", id, f"take {rest[0]}"))
    elif word == "report":
        present = [name for name in ("written", "called") if getattr(storage, name) is not None]
        emit(context, f"present {','.join(present) or '-'}")
        context.send(message("both/total", id, "report"))
    else:
        raise ValueError(word)
    emit(context, f"done {storage.calls} {word} {'-' if storage.sum is None else storage.sum} "
                  f"{'-' if context.caller is None else 'caller'}")


@functions.bind("both/teller", specs=[ValueSpec(name="balance", type=LongType)])
async def teller(context, order):
    if order.is_long():
        context.storage.balance = (context.storage.balance or 0) + order.as_long()
        context.send(message(context.caller.typename, context.caller.id, context.storage.balance, LongType))
        return
    word, text = order.as_type(TEXT).split(" ")
    if word == "take":
        context.cancel_delayed_message(text)
        context.send_after(SOON, message("both/teller", context.address.id, f"back {text}"), text)
    else:
        emit(context, f"taken {text}")


@functions.bind("both/reminder", specs=[ValueSpec(name="count", type=IntType, expire_after_write=HOUR)])
async def reminder(context, text):
    context.storage.count = (context.storage.count or 0) + 1
    caller = f"{context.caller.typename}/{context.caller.id}"
    emit(context, f"reminder {context.storage.count} {text.as_type(TEXT)} {caller}")


@functions.bind("both/total", specs=[ValueSpec(name="sum", type=LongType, expire_after_call=HOUR)])
async def total(context, amount):
    if amount.is_long():
        context.storage.sum = (context.storage.sum or 0) + amount.as_long()
        emit(context, f"moved {amount.as_long()} {context.caller.id}")
    else:
        emit(context, f"total {context.storage.sum or 0}")


handler = RequestReplyHandler(functions)


async def handle(request):
    reply = await handler.handle_async(await request.read())
    return web.Response(body=reply, content_type="application/octet-stream")


app = web.Application(client_max_size=64 << 20)
app.router.add_post("/statefun", handle)
web.run_app(app, host="127.0.0.1", port=options.port, print=None, access_log=None)
