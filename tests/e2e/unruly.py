"""A function server that misbehaves as the id says, until it is told to behave: for test_bad_replies.py.

What each id does stands in BEHAVIOURS. After POST /behave every id gets an ordinary reply."""
import argparse
import asyncio

from aiohttp import web
from statefun import IntType, RequestReplyHandler, StatefulFunctions, ValueSpec, egress_message_builder, make_json_type
from statefun.request_reply_pb2 import FromFunction, ToFunction

RECORD = make_json_type("io.statefun.playground/EgressRecord")
functions = StatefulFunctions()
behaves = False


@functions.bind("example/person", specs=[ValueSpec(name="visits", type=IntType)])
async def person(context, message):
    context.storage.visits = (context.storage.visits or 0) + 1
    context.send_egress(egress_message_builder(
        target_typename="io.statefun.playground/egress", value_type=RECORD,
        value={"topic": "out", "payload": f"{context.address.id} {context.storage.visits}"}))


handler = RequestReplyHandler(functions)


def octets(body, status=200, type="application/octet-stream"):
    return web.Response(body=body, status=status, content_type=type)


def reply(build):
    """A FromFunction that is made by `build`."""
    message = FromFunction()
    build(message.invocation_result)
    return octets(message.SerializeToString())


async def silence():
    await asyncio.sleep(3600)


def wrong_state_type(result):
    mutation = result.state_mutations.add(state_name="visits", mutation_type=1)
    mutation.state_value.typename = "io.statefun.types/string"
    mutation.state_value.has_value = True


def unknown_state(result):
    mutation = result.state_mutations.add(state_name="nobody registered this", mutation_type=1)
    mutation.state_value.typename = "io.statefun.types/int"
    mutation.state_value.has_value = True


def no_target(result):
    result.outgoing_messages.add()


def unknown_function(result):
    message = result.outgoing_messages.add()
    message.target.namespace, message.target.type, message.target.id = "nobody", "here", "1"
    message.argument.typename = "example/x"
    message.argument.has_value = True


def unknown_egress(result):
    message = result.outgoing_egresses.add(egress_namespace="nobody", egress_type="here")
    message.argument.typename = "example/x"
    message.argument.has_value = True


# These are tried again, and succeed once the server behaves.
FAILURES = {
    "status-500": lambda: octets(b"", 500),
    "status-503": lambda: octets(b"", 503),
    "status-400": lambda: octets(b"", 400),
    "status-404": lambda: octets(b"", 404),
    "garbage": lambda: octets(b"\xff\xff\xff this is no FromFunction"),
    "truncated": lambda: octets(FromFunction().SerializeToString() + b"\xa2\x06\x7f"),
    "wrong-type": lambda: octets(b"x", type="text/html"),
    "wrong-state-type": lambda: reply(wrong_state_type),
    "unknown-state": lambda: reply(unknown_state),
}
# These succeed; what they sent can never be delivered.
UNDELIVERABLE = {
    "unknown-function": lambda: reply(unknown_function),
    "unknown-egress": lambda: reply(unknown_egress),
    "no-target": lambda: reply(no_target),
}


async def handle(request):
    global behaves
    body = await request.read()
    message = ToFunction.FromString(body)
    id = message.invocation.target.id
    if not behaves and message.invocation.state:  # states are registered first, as always
        if id == "silence":
            await silence()
        if id == "hang-up":
            request.transport.close()
            return octets(b"")
        if id in FAILURES:
            return FAILURES[id]()
        if id in UNDELIVERABLE:
            return UNDELIVERABLE[id]()
    return octets(await handler.handle_async(body))


async def behave(request):
    global behaves
    behaves = True
    return web.Response()


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--port", type=int, required=True)
    application = web.Application()
    application.add_routes([web.post("/statefun", handle), web.post("/behave", behave)])
    web.run_app(application, host="127.0.0.1", port=arguments.parse_args().port, print=None, access_log=None)
