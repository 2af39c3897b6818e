"""Functions that talk to those of partner.c, with the official SDK; and either/keeper, which both can serve."""
from statefun import (BoolType, DoubleType, FloatType, IntType, LongType, StatefulFunctions,
                      StringType, ValueSpec, egress_message_builder, make_json_type, message_builder)

from serving import serve

RECORD = make_json_type("io.statefun.playground/EgressRecord")
functions = StatefulFunctions()


def publish(context, text):
    context.send_egress(egress_message_builder(target_typename="io.statefun.playground/egress", value_type=RECORD,
                                               value={"topic": "out", "payload": text}))


@functions.bind("python/player", [ValueSpec("number", IntType), ValueSpec("long_number", LongType)])
def player(context, message):
    answer = {"target_typename": context.caller.typename, "target_id": context.caller.id}
    if message.is_int():
        context.storage.number = message.as_int()
        context.send(message_builder(str_value="x" * -message.as_int(), **answer))
    elif message.is_long():
        context.storage.long_number = message.as_long()
        context.send(message_builder(double_value=context.storage.number / 8, **answer))
    else:
        right = (message.as_type(FloatType) == context.storage.number / 32
                 and context.storage.long_number == 2 ** 40 - context.storage.number)
        context.send(message_builder(bool_value=right, **answer))


@functions.bind("either/keeper", [ValueSpec("number", IntType), ValueSpec("text", StringType),
                                  ValueSpec("total", LongType), ValueSpec("halves", DoubleType),
                                  ValueSpec("is_odd", BoolType)])
def keeper(context, message):
    storage = context.storage
    storage.number = (storage.number or 0) + 1
    storage.text = (storage.text or "") + "p"
    storage.total = (storage.total or 0) + 2 ** 40
    storage.halves = (storage.halves or 0.0) + 0.5
    storage.is_odd = not storage.is_odd
    publish(context, f"{storage.number} {storage.text} {storage.total} {storage.halves:g} "
                     f"{'odd' if storage.is_odd else 'even'}")


if __name__ == "__main__":
    serve(functions)
