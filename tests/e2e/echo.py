"""Functions example/echo and example/invalid, which say what they get: for test_invalid_records.py."""
import argparse

from aiohttp import web
from statefun import RequestReplyHandler, StatefulFunctions, egress_message_builder, make_json_type

RECORD = make_json_type("io.statefun.playground/EgressRecord")
functions = StatefulFunctions()


def say(context, message, what):
    value = message.typed_value.value.decode() if message.typed_value.has_value else "nothing"
    context.send_egress(egress_message_builder(
        target_typename="io.statefun.playground/egress", value_type=RECORD,
        value={"topic": "out", "payload": f"{what} {context.address.id} {message.value_typename()} {value}"}))


@functions.bind("example/echo")
async def echo(context, message):
    say(context, message, "echo")


@functions.bind("example/invalid")
async def invalid(context, message):
    say(context, message, "invalid")


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
