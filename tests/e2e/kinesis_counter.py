"""Counts what it is sent, and puts every count into a stream: "key count text"."""
import argparse

from aiohttp import web
from statefun import (IntType, RequestReplyHandler, StatefulFunctions, ValueSpec, kinesis_egress_message,
                      simple_type)

TEXT = simple_type("example/text", serialize_fn=str.encode, deserialize_fn=bytes.decode)

functions = StatefulFunctions()
arguments = argparse.ArgumentParser(description=__doc__)
arguments.add_argument("--port", type=int)
options = arguments.parse_args()


@functions.bind("example/counter", specs=[ValueSpec(name="count", type=IntType)])
async def counter(context, message):
    count = (context.storage.count or 0) + 1
    context.storage.count = count
    text, key = message.as_type(TEXT), context.address.id
    stream, size = "counts", 0
    if not text:  # an empty one is a message as well
        text = "nothing"
    if text.startswith("to "):
        stream = text[3:]
    if text.startswith("size "):
        size = int(text[5:])
    context.send_egress(kinesis_egress_message(typename="example/counts", stream=stream, partition_key=key,
                                               value=f"{key} {count} {text}".ljust(size)))


handler = RequestReplyHandler(functions)


async def handle(request):
    reply = await handler.handle_async(await request.read())
    return web.Response(body=reply, content_type="application/octet-stream")


if __name__ == "__main__":
    application = web.Application(client_max_size=64 << 20)
    application.add_routes([web.post("/statefun", handle)])
    web.run_app(application, host="127.0.0.1", port=options.port, print=None, access_log=None)
