"""Functions iso/f0 to iso/f19, which pass on to topic --topic what they get: for isolation.py.

A batch with a value that is no text makes them fail, and so does one with "poison-400" or "poison-hang" in it, until
POST /behave."""
import argparse
import asyncio

from aiohttp import web
from statefun import RequestReplyHandler, StatefulFunctions, kafka_egress_message
from statefun.request_reply_pb2 import ToFunction

functions = StatefulFunctions()
behaves = False
topic = None


async def pass_on(context, message):
    context.send_egress(kafka_egress_message(typename="iso/out", topic=topic, key=context.address.id,
                                             value=message.raw_value().decode()))


for number in range(20):
    functions.bind(f"iso/f{number}")(pass_on)
handler = RequestReplyHandler(functions)


async def handle(request):
    body = await request.read()
    if not behaves:
        values = [invocation.argument.value for invocation in ToFunction.FromString(body).invocation.invocations]
        if any(value.startswith(b"poison-400") for value in values):
            return web.Response(status=400)
        if any(value.startswith(b"poison-hang") for value in values):
            await asyncio.sleep(3600)
    return web.Response(body=await handler.handle_async(body), content_type="application/octet-stream")


async def behave(request):
    global behaves
    behaves = True
    return web.Response()


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--port", type=int, required=True)
    arguments.add_argument("--topic", required=True)
    arguments = arguments.parse_args()
    topic = arguments.topic
    application = web.Application()
    application.add_routes([web.post("/statefun", handle), web.post("/behave", behave)])
    web.run_app(application, host="127.0.0.1", port=arguments.port, print=None, access_log=None)
