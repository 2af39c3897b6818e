"""Applications like those that Apache StateFun's playground publishes, in our words: they have the same typenames,
states and topics, so that modules and requests as its READMEs have them fit.

    python playground.py --port PORT
"""
import argparse

from aiohttp import web
from statefun import (IntType, LongType, RequestReplyHandler, StatefulFunctions, ValueSpec, egress_message_builder,
                      kafka_egress_message, make_json_type, message_builder)

RECORD = make_json_type("io.statefun.playground/EgressRecord")
functions = StatefulFunctions()


def publish(context, topic, payload):
    context.send_egress(egress_message_builder(target_typename="io.statefun.playground/egress",
                                               value={"topic": topic, "payload": payload}, value_type=RECORD))


def send(context, typename, id, value, type):
    context.send(message_builder(target_typename=typename, target_id=id, value=value, value_type=type))


# --- the greeter, as in Python, Go and JavaScript ---

GREET_REQUEST = make_json_type("example/GreetRequest")


@functions.bind("example/person", specs=[ValueSpec(name="visits", type=IntType)])
async def person(context, message):
    request = message.as_type(GREET_REQUEST)
    context.storage.visits = (context.storage.visits or 0) + 1
    send(context, "example/greeter", request["name"], {**request, "visits": context.storage.visits}, GREET_REQUEST)


@functions.bind("example/greeter")
async def greeter(context, message):
    request = message.as_type(GREET_REQUEST)
    publish(context, "greetings", f"{request['name']} is here, visit {request['visits']}")


# --- the greeter, as in Java ---

USER_LOGIN = make_json_type("greeter.types/UserLogin")
USER_PROFILE = make_json_type("greeter.types/UserProfile")


@functions.bind("greeter.fns/user", specs=[ValueSpec(name="seen_count", type=IntType),
                                           ValueSpec(name="seen_timestamp_ms", type=LongType)])
async def user(context, message):
    login = message.as_type(USER_LOGIN)
    before, context.storage.seen_count = context.storage.seen_timestamp_ms, (context.storage.seen_count or 0) + 1
    context.storage.seen_timestamp_ms = (before or 1_600_000_000_000) + 1
    send(context, "greeter.fns/greetings", login["user_name"],
         {"name": login["user_name"], "from": login["login_type"], "seen": context.storage.seen_count}, USER_PROFILE)


@functions.bind("greeter.fns/greetings")
async def greetings(context, message):
    profile = message.as_type(USER_PROFILE)
    publish(context, "greetings", f"{profile['name']} from the {profile['from']}, login {profile['seen']}")


# --- the shopping cart ---

RESTOCK_ITEM = make_json_type("com.example/RestockItem")
REQUEST_ITEM = make_json_type("com.example/RequestItem")
ITEM_AVAILABILITY = make_json_type("com.example/ItemAvailability")
ADD_TO_CART = make_json_type("com.example/AddToCart")
CHECKOUT = make_json_type("com.example/Checkout")
CLEAR_CART = make_json_type("com.example/ClearCart")
BASKET = make_json_type("com.example/Basket")


@functions.bind("com.example/stock", specs=[ValueSpec(name="stock", type=IntType)])
async def stock(context, message):
    there = context.storage.stock or 0
    if message.is_type(RESTOCK_ITEM):
        context.storage.stock = there + message.as_type(RESTOCK_ITEM)["quantity"]
        return
    wanted = message.as_type(REQUEST_ITEM)["quantity"]
    if wanted <= there:
        context.storage.stock = there - wanted
    send(context, context.caller.typename, context.caller.id,
         {"status": "INSTOCK" if wanted <= there else "OUTOFSTOCK", "quantity": wanted}, ITEM_AVAILABILITY)


@functions.bind("com.example/user-shopping-cart", specs=[ValueSpec(name="basket", type=BASKET)])
async def cart(context, message):
    basket = context.storage.basket or {}
    if message.is_type(ADD_TO_CART):
        item = message.as_type(ADD_TO_CART)
        send(context, "com.example/stock", item["itemId"], {"quantity": item["quantity"]}, REQUEST_ITEM)
    elif message.is_type(ITEM_AVAILABILITY):
        answer, item = message.as_type(ITEM_AVAILABILITY), context.caller.id
        if answer["status"] == "INSTOCK":
            context.storage.basket = {**basket, item: basket.get(item, 0) + answer["quantity"]}
    elif message.is_type(CHECKOUT):
        publish(context, "receipts", f"{context.address.id} buys {basket}")
        del context.storage.basket
    elif message.is_type(CLEAR_CART):
        for item, quantity in basket.items():
            send(context, "com.example/stock", item, {"itemId": item, "quantity": quantity}, RESTOCK_ITEM)
        del context.storage.basket


# --- connected components ---

VERTEX = make_json_type("connected-components.types/vertex")
COMPONENT = make_json_type("connected-components.types/component")
NEIGHBOURS = make_json_type("connected-components.types/neighbours")


@functions.bind("connected-components.fns/vertex", specs=[ValueSpec(name="component", type=IntType),
                                                          ValueSpec(name="neighbours", type=NEIGHBOURS)])
async def vertex(context, message):
    known, storage = context.storage.component, context.storage
    if message.is_type(VERTEX):
        storage.neighbours = message.as_type(VERTEX)["neighbours"]
        candidate = int(context.address.id)
    else:
        candidate = message.as_type(COMPONENT)
    best = candidate if known is None else min(known, candidate)
    if best != known:
        storage.component = best
        publish(context, "connected-component-changes", f"{context.address.id} in {best}")
    if best != known or message.is_type(VERTEX):
        for neighbour in storage.neighbours or []:
            send(context, "connected-components.fns/vertex", neighbour, best, COMPONENT)


# --- the showcase, as in Python and JavaScript (Kafka) ---

SHOWCASE_REQUEST = make_json_type("showcase/GreetRequest")


@functions.bind("showcase/serving", specs=[ValueSpec(name="seen", type=IntType)])
async def serving(context, message):
    context.storage.seen = (context.storage.seen or 0) + 1
    name = message.as_type(SHOWCASE_REQUEST)["name"]
    context.send_egress(kafka_egress_message(typename="showcase/greets", topic="greetings", key=name,
                                             value=f"{name}, seen {context.storage.seen}"))


handler = RequestReplyHandler(functions)


async def handle(request):
    return web.Response(body=await handler.handle_async(await request.read()), content_type="application/octet-stream")


arguments = argparse.ArgumentParser()
arguments.add_argument("--port", type=int, required=True)
application = web.Application()
application.add_routes([web.post("/statefun", handle), web.post("/", handle)])
web.run_app(application, host="127.0.0.1", port=arguments.parse_args().port, print=None, access_log=None)
