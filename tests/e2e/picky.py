"""A function that fails on whole batches because of one message in them: for test_giving_up.py.

A message whose text begins with "poison-" makes the request fail in the way that follows, until POST /behave."""
import argparse
import asyncio

from aiohttp import web
from statefun import IntType, RequestReplyHandler, StatefulFunctions, ValueSpec, egress_message_builder, make_json_type
from statefun.request_reply_pb2 import ToFunction

RECORD = make_json_type("io.statefun.playground/EgressRecord")
functions = StatefulFunctions()
behaves = False


@functions.bind("example/person", specs=[ValueSpec(name="visits", type=IntType)])
async def person(context, message):
    context.storage.visits = (context.storage.visits or 0) + 1
    context.send_egress(egress_message_builder(
        target_typename="io.statefun.playground/egress", value_type=RECORD,
        value={"topic": "out", "payload": f"{context.address.id} {context.storage.visits} {message.as_string()}"}))


handler = RequestReplyHandler(functions)


async def fail(way):
    if way == b"hang":
        await asyncio.sleep(3600)
    if way == b"garbage":
        return web.Response(body=b"\xff\xff\xff", content_type="application/octet-stream")
    return web.Response(status=int(way))


async def handle(request):
    body = await request.read()
    for invocation in ToFunction.FromString(body).invocation.invocations:
        at = invocation.argument.value.find(b"poison-")
        if at >= 0 and not behaves:
            return await fail(invocation.argument.value[at + 7:])
    return web.Response(body=await handler.handle_async(body), content_type="application/octet-stream")


async def behave(request):
    global behaves
    behaves = True
    return web.Response()


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--port", type=int, required=True)
    arguments.add_argument("--behave", action="store_true")
    arguments = arguments.parse_args()
    behaves = arguments.behave
    application = web.Application()
    application.add_routes([web.post("/statefun", handle), web.post("/behave", behave)])
    web.run_app(application, host="127.0.0.1", port=arguments.port, print=None, access_log=None)
