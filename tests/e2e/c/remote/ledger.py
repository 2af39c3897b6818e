"""ledger.c once more, with the official SDK: each can go on with the other's states."""
from statefun import (IntType, StatefulFunctions, StringType, ValueSpec, egress_message_builder,
                      make_json_type, message_builder)

from serving import serve

COUNTERS, PAGE = 100, 2000
RECORD = make_json_type("io.statefun.playground/EgressRecord")
functions = StatefulFunctions()


def pass_on(context, counter, hops):
    context.send(message_builder(target_typename="ledger/counter", target_id=str(counter % COUNTERS), int_value=hops))


@functions.bind("ledger/start")
def start(context, message):
    for counter in range(COUNTERS):
        pass_on(context, counter, int(message.as_string()))


@functions.bind("ledger/counter", [ValueSpec("count", IntType), ValueSpec("page", StringType)])
def counter(context, message):
    storage = context.storage
    count = storage.count or 0
    if message.is_string():
        context.send_egress(egress_message_builder(
            target_typename="io.statefun.playground/egress", value_type=RECORD,
            value={"topic": "out", "payload": f"{context.address.id} {count}"}))
        return
    if storage.page != (str(count % 10) * PAGE if count else None):
        print(f"WRONG: the page of {context.address.id} is not that of {count}", flush=True)
        raise ValueError("the page is not that of the count")
    storage.count = count + 1
    storage.page = str((count + 1) % 10) * PAGE
    if message.as_int() > 1:
        pass_on(context, int(context.address.id) + 1, message.as_int() - 1)


if __name__ == "__main__":
    serve(functions)
