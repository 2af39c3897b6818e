"""What most users learnt from: the applications of Apache StateFun's playground. Their modules and the commands of
their READMEs work; the functions behind them are ours (python/playground.py). Only ports and hosts differ."""
import shlex
import subprocess

import languages
import pytest
from statefun_process import EGRESS, INGRESS, wait_for

MODULE = """
kind: io.statefun.endpoints.v2/http
spec:
  functions: {functions}
  urlPathTemplate: http://127.0.0.1:{port}{path}
  transport:
    type: io.statefun.transports.v1/async
---
kind: io.statefun.playground.v1/ingress
spec:
  port: 0
---
kind: io.statefun.playground.v1/egress
spec:
  port: 0
  topics:
    - {topic}
"""
SHOWCASE = """
kind: io.statefun.endpoints.v2/http
spec:
  functions: showcase/*
  urlPathTemplate: http://127.0.0.1:{port}/statefun
  transport:
    type: io.statefun.transports.v1/async
---
kind: io.statefun.kafka.v1/ingress
spec:
  id: showcase/names
  address: {address}
  consumerGroupId: my-group-id
  topics:
    - topic: names
      valueType: showcase/GreetRequest
      targets:
        - showcase/serving
---
kind: io.statefun.kafka.v1/egress
spec:
  id: showcase/greets
  address: {address}
  deliverySemantic:
    type: exactly-once
    transactionTimeout: 15min
"""
SHOWCASE_OF_RELEASE_3_0 = """
version: "3.0"
module:
  meta:
    type: remote
  spec:
    endpoints:
      - endpoint:
          meta:
            kind: http
          spec:
            functions: showcase/*
            urlPathTemplate: http://127.0.0.1:{port}/statefun
            timeouts:
              call: 2min
    ingresses:
      - ingress:
          meta:
            type: io.statefun.kafka/ingress
            id: showcase/names
          spec:
            address: {address}
            consumerGroupId: my-group-id
            topics:
              - topic: names
                valueType: showcase/GreetRequest
                targets:
                  - showcase/serving
    egresses:
      - egress:
          meta:
            type: io.statefun.kafka/egress
            id: showcase/greets
          spec:
            address: {address}
            deliverySemantic:
              type: exactly-once
              transactionTimeoutMillis: 100000
"""


@pytest.fixture
def play(make_function, make_statefun):
    def play(functions, topic, path="/"):
        function = make_function(languages.HERE / "python/playground.py")
        module = MODULE.format(functions=functions, topic=topic, port=function.port, path=path)
        return make_statefun(module).start()
    return play


def run(statefun, command):
    """A command as the READMEs have it, with their ports; what it prints."""
    command = command.replace("localhost:8090", statefun.listeners[INGRESS])
    command = command.replace("localhost:8091", statefun.listeners[EGRESS])
    return subprocess.run([*shlex.split(command), "--silent", "--show-error", "--max-time", "20"], check=True,
                          stdout=subprocess.PIPE, text=True).stdout


def fetch(statefun, topic):
    return wait_for(lambda: run(statefun, f"curl -X GET localhost:8091/{topic}"))


def test_the_greeter(play):
    statefun = play("example/*", "greetings", path="/statefun")
    for visit in (1, 2, 3):
        assert run(statefun, """curl -X PUT -H "Content-Type: application/vnd.example/GreetRequest" \
            -d '{"name": "Bob"}' localhost:8090/example/person/Bob""") == ""
        assert fetch(statefun, "greetings") == f"Bob is here, visit {visit}"
    assert run(statefun, "curl -X GET localhost:8091/greetings") == ""


def test_the_greeter_as_in_java(play):
    statefun = play("greeter.fns/*", "greetings")
    for login in (1, 2):
        run(statefun, """curl -X PUT -H "Content-Type: application/vnd.greeter.types/UserLogin" \
            -d '{"user_id": "1", "user_name": "Joe", "login_type": "WEB"}' localhost:8090/greeter.fns/user/1""")
        assert fetch(statefun, "greetings") == f"Joe from the WEB, login {login}"


def test_the_shopping_cart(play):
    statefun = play("com.example/*", "receipts")
    messages = 0

    def put(type, body, address, answers=0):
        """Waits until the cart has got what comes of it: a checkout that overtakes an item does not buy it."""
        nonlocal messages
        run(statefun, f"""curl -X PUT -H "Content-Type: application/vnd.com.example/{type}" \
            -d '{body}' localhost:8090/com.example/{address}""")
        messages += answers
        wait_for(lambda: statefun.metric("statefun_functions_in_total", name="user-shopping-cart") >= messages)

    def add(quantity):
        put("AddToCart", f'{{"userId": "1", "quantity": {quantity}, "itemId": "socks"}}', "user-shopping-cart/1", 2)

    def check_out():
        put("Checkout", '{"userId": "1"}', "user-shopping-cart/1", 1)
        return fetch(statefun, "receipts")

    put("RestockItem", '{"itemId": "socks", "quantity": 50}', "stock/socks")
    add(3)
    assert check_out() == "1 buys {'socks': 3}"
    add(48)
    assert check_out() == "1 buys {}"
    add(47)
    put("ClearCart", '{"userId": "1"}', "user-shopping-cart/1", 1)
    add(46)
    add(2)
    assert check_out() == "1 buys {'socks': 46}"


def test_connected_components(play):
    statefun = play("connected-components.fns/*", "connected-component-changes")
    # The least comes last, so that the others have to change their minds.
    for id, neighbours in (("7", "[]"), ("4", '["2"]'), ("3", '["1"]'), ("2", '["1", "4"]'), ("1", '["2", "3"]')):
        run(statefun, f"""curl -X PUT -H "Content-Type: application/vnd.connected-components.types/vertex" \
            -d '{{"vertex_id": "{id}", "neighbours": {neighbours}}}' localhost:8090/connected-components.fns/vertex/{id}""")
    components = {}

    def found():
        change = run(statefun, "curl -X GET localhost:8091/connected-component-changes")
        if change:
            id, component = change.split(" in ")
            components[id] = component
        return components == {"1": "1", "2": "1", "3": "1", "4": "1", "7": "7"}
    wait_for(found)


@pytest.mark.parametrize("module", [SHOWCASE, SHOWCASE_OF_RELEASE_3_0], ids=["3.3", "3.0"])
def test_the_showcase(own_broker, make_function, make_statefun, module):
    """Its ingress says not where to begin: at the end of the topic, as it is at the first start."""
    function = make_function(languages.HERE / "python/playground.py")
    own_broker.make_topic("names")
    own_broker.make_topic("greetings")
    statefun = make_statefun(module.format(port=function.port, address=own_broker.address)).start()
    wait_for(lambda: "ingress reads more partitions" in statefun.log())

    def greet():
        own_broker.produce("names", [("Bob", '{"name": "Bob"}'), ("Joe", '{"name": "Joe"}')])
        return own_broker.read("greetings", 0)
    greetings = wait_for(greet, 60)
    assert ("Bob", "Bob, seen 1") in greetings
