"""A function that sends each message on to stray/target, and that target: for test_deadletters.py."""
import argparse

from aiohttp import web
from statefun import RequestReplyHandler, StatefulFunctions, egress_message_builder, make_json_type, message_builder

RECORD = make_json_type("io.statefun.playground/EgressRecord")
functions = StatefulFunctions()


@functions.bind("example/sender")
async def sender(context, message):
    context.send(message_builder(target_typename="stray/target", target_id=message.as_string(), str_value="hello"))


@functions.bind("stray/target")
async def target(context, message):
    context.send_egress(egress_message_builder(
        target_typename="io.statefun.playground/egress", value_type=RECORD,
        value={"topic": "out", "payload": f"{context.address.id} {message.as_string()} {context.caller.id}"}))


handler = RequestReplyHandler(functions)


async def handle(request):
    return web.Response(body=await handler.handle_async(await request.read()),
                        content_type="application/octet-stream")


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--port", type=int, required=True)
    application = web.Application()
    application.add_routes([web.post("/statefun", handle)])
    web.run_app(application, host="127.0.0.1", port=arguments.parse_args().port, print=None, access_log=None)
