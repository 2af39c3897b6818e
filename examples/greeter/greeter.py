"""The greeter: counts how often each name has been seen, and greets it.

Two functions, served over HTTP with the official Python SDK: `example/person` keeps one count for each
name, `example/greeter` words the greeting. They know nothing of the runtime: it is statefun here, and may
be Apache Flink Stateful Functions elsewhere.

    python greeter.py [--port 8000] [--unix PATH] [--egress playground|kafka] [--topic greetings]
"""
import argparse

from aiohttp import web
from statefun import (IntType, RequestReplyHandler, StatefulFunctions, ValueSpec, egress_message_builder,
                      kafka_egress_message, make_json_type, message_builder, simple_type)

VISIT = simple_type("example/visit", serialize_fn=str.encode, deserialize_fn=bytes.decode)
COUNT = make_json_type("example/count")
RECORD = make_json_type("io.statefun.playground/EgressRecord")

functions = StatefulFunctions()
arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
arguments.add_argument("--port", type=int, default=8000)
arguments.add_argument("--unix", metavar="PATH", help="serve on this unix socket as well")
arguments.add_argument("--egress", choices=("playground", "kafka"), default="playground")
arguments.add_argument("--topic", default="greetings", help="the egress's topic")
options = arguments.parse_args()


@functions.bind("example/person", specs=[ValueSpec(name="visits", type=IntType)])
async def person(context, message):
    visits = (context.storage.visits or 0) + 1
    context.storage.visits = visits
    context.send(message_builder(target_typename="example/greeter", target_id=context.address.id,
                                 value={"visits": visits}, value_type=COUNT))


@functions.bind("example/greeter")
async def greeter(context, message):
    name, visits = context.address.id, message.as_type(COUNT)["visits"]
    if visits == 1:
        greeting = f"Welcome, {name}: I see you for the first time."
    else:
        greeting = f"Hello again, {name}: I have seen you {visits} times."
    context.send_egress(to_egress(name, greeting))


def to_egress(name, greeting):
    if options.egress == "kafka":
        return kafka_egress_message(typename="example/greetings", topic=options.topic, key=name, value=greeting)
    return egress_message_builder(target_typename="io.statefun.playground/egress",
                                  value={"topic": options.topic, "payload": greeting}, value_type=RECORD)


handler = RequestReplyHandler(functions)


async def handle(request):
    reply = await handler.handle_async(await request.read())
    return web.Response(body=reply, content_type="application/octet-stream")


if __name__ == "__main__":
    application = web.Application(client_max_size=64 << 20)
    application.add_routes([web.post("/statefun", handle)])
    web.run_app(application, host="127.0.0.1", port=options.port, path=options.unix, print=None,
                access_log=None)
