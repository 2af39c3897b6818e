"""The greeter over HTTP, on the embedded default: the official Python SDK, no other service."""
import random
import threading

from function_process import GREETER
from statefun_process import INGRESS, MODULE, Background, ask, wait_for


def visit(statefun, name, **headers):
    status, _, body = statefun.post(f"/in/example/person/{name}", **headers)
    assert status == 202, body
    return body


def first(name):
    return f"Welcome, {name}: I see you for the first time."


def again(name, count):
    return f"Hello again, {name}: I have seen you {count} times."


def test_each_name_has_a_count_of_its_own(statefun):
    for name in ("Ada", "Grace", "Ada", "Ada"):
        visit(statefun, name)
    greetings = statefun.fetch_all("greetings", 4)
    assert [g for g in greetings if "Ada" in g] == [first("Ada"), again("Ada", 2), again("Ada", 3)]
    assert [g for g in greetings if "Grace" in g] == [first("Grace")]


def test_a_fetched_greeting_is_gone(statefun):
    visit(statefun, "Ada")
    assert statefun.fetch_all("greetings", 1) == [first("Ada")]
    assert statefun.fetch("greetings") is None


def test_what_was_answered_survives_a_kill(statefun):
    for count in range(1, 6):
        visit(statefun, "Ada")
        statefun.kill()
        statefun.start()
    assert statefun.fetch_all("greetings", 5)[-1] == again("Ada", 5)


def test_unfetched_greetings_survive_a_clean_stop(statefun):
    visit(statefun, "Ada")
    wait_for(lambda: statefun.metric("statefun_functions_out_egress_total") == 1)
    assert statefun.stop() == 0
    statefun.start()
    assert statefun.fetch_all("greetings", 1) == [first("Ada")]


def test_a_data_directory_opens_with_another_number_of_workers(statefun):
    names = [f"name-{i}" for i in range(40)]
    for workers in (1, 3, 2):
        statefun.kill()
        statefun.start("--workers", str(workers))
        for name in names:
            visit(statefun, name)
    greetings = statefun.fetch_all("greetings", 3 * len(names))
    for name in names:
        assert sorted(g for g in greetings if f" {name}:" in g) == \
            sorted([first(name), again(name, 2), again(name, 3)])


def test_a_repeated_request_with_one_idempotency_key_counts_once(statefun):
    one = visit(statefun, "Ada", Idempotency_Key="order-1")
    assert visit(statefun, "Ada", Idempotency_Key="order-1") == one
    statefun.kill()
    statefun.start()
    assert visit(statefun, "Ada", Idempotency_Key="order-1") == one
    visit(statefun, "Ada", Idempotency_Key="order-2")
    assert statefun.fetch_all("greetings", 2) == [first("Ada"), again("Ada", 2)]


def test_the_same_key_for_another_address_is_another_request(statefun):
    visit(statefun, "Ada", Idempotency_Key="order-1")
    visit(statefun, "Grace", Idempotency_Key="order-1")
    assert sorted(statefun.fetch_all("greetings", 2)) == [first("Ada"), first("Grace")]


def test_clients_that_retry_through_kills_are_counted_exactly_once(statefun):
    """Each client sends its names in order, and each again until it is answered, whatever happens."""
    clients, rounds, stop = 4, 40, threading.Event()
    lock = threading.Lock()  # while the runtime is away, its new port is not known

    def client(number):
        for round_number in range(rounds):
            while True:
                try:
                    with lock:
                        address = statefun.listeners[INGRESS]
                    status, _, _ = ask(address, "POST", f"/in/example/person/client-{number}", b"hello",
                                       {"Content-Type": "example/visit",
                                        "Idempotency-Key": f"{number}-{round_number}"})
                    if status == 202:
                        break
                except OSError:
                    pass
                except Exception as error:  # http.client has many for a server that dies
                    assert "http" in type(error).__module__
                stop.wait(0.02)

    threads = [Background(client, number) for number in range(clients)]
    generator = random.Random(7)
    while any(thread.is_alive() for thread in threads):
        stop.wait(generator.uniform(0.05, 0.4))
        with lock:
            statefun.kill()
            statefun.start()
    for thread in threads:
        thread.finish()
    greetings = statefun.fetch_all("greetings", clients * rounds)
    for number in range(clients):
        name = f"client-{number}"
        assert [g for g in greetings if f" {name}:" in g] == \
            [first(name)] + [again(name, count) for count in range(2, rounds + 1)]


def test_the_function_may_come_later_than_its_messages(own_greeter, make_statefun):
    own_greeter.kill()
    statefun = make_statefun(MODULE.format(url=own_greeter.url)).start()
    for _ in range(3):
        visit(statefun, "Ada")
    assert statefun.fetch("greetings") is None
    own_greeter.start()
    assert statefun.fetch_all("greetings", 3) == [first("Ada"), again("Ada", 2), again("Ada", 3)]


def test_requests_that_make_no_sense_are_told_so(statefun):
    def status_of(method, path, type="example/visit"):
        headers = {"Content-Type": type} if type else {}
        return ask(statefun.listeners[INGRESS], method, path, b"x", headers)[0]
    assert status_of("POST", "/in/nobody/here/1") == 404
    assert status_of("GET", "/in/example/person/Ada") == 405
    assert status_of("POST", "/somewhere") == 404
    assert status_of("POST", "/in/example/person/%ff") == 400
    assert status_of("POST", "/in/example/person/Ada", type=None) == 400
    assert statefun.fetch("greetings") is None


def test_an_id_may_be_any_text(statefun):
    visit(statefun, "J%C3%B6rg%2F%E2%98%83")
    assert statefun.fetch_all("greetings", 1) == [first("Jörg/☃")]


def test_the_playgrounds_own_path_is_served_too(statefun):
    status, _, _ = ask(statefun.listeners[INGRESS], "PUT", "/example/person/Ada", b"hello",
                       {"Content-Type": "application/vnd.example/visit"})
    assert status == 200
    assert statefun.fetch_all("greetings", 1) == [first("Ada")]


def test_health_readiness_and_figures_are_served(statefun):
    assert statefun.get("/healthz")[0] == 200
    assert statefun.get("/readyz")[0] == 200
    assert statefun.get("/nothing")[0] == 404
    visit(statefun, "Ada")
    statefun.fetch_all("greetings", 1)
    assert statefun.metric("statefun_functions_in_total", name="person") == 1
    assert statefun.metric("statefun_functions_out_egress_total", name="greeter") == 1


def test_a_function_behind_a_unix_socket_is_reached(make_function, make_statefun, tmp_path):
    path = tmp_path / "greeter.sock"
    make_function(GREETER, "--unix", str(path))
    url = f"http+unix://{path}/statefun"
    statefun = make_statefun(MODULE.format(url=url)).start()
    visit(statefun, "Ada")
    assert statefun.fetch_all("greetings", 1) == [first("Ada")]
