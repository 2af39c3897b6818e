"""What the tests are given: a broker and a greeter for all of them, and for each a runtime and functions that end with
it."""
import itertools

import pytest
from certificates import Authority
from function_process import GREETER, Function
from kafka_broker import Broker
from statefun_process import MODULE, Statefun


@pytest.fixture(scope="session")
def broker(tmp_path_factory):
    broker = Broker(tmp_path_factory.mktemp("broker")).start()
    yield broker
    broker.kill()


@pytest.fixture
def slow_broker(tmp_path):
    """One whose group coordinator is late, as on a busy cluster: that a transaction's offsets count it notices some ms
    after it has answered that the transaction is over (KAFKA-17507). It looks through groups all the time meanwhile."""
    broker = Broker(tmp_path / "broker", "--set=offsets.retention.check.interval.ms=20").start()
    broker.make_topic("looked-through")
    broker.make_groups("looked-through", 1000)
    yield broker
    broker.kill()


@pytest.fixture
def own_broker(tmp_path):
    """For tests that stop it."""
    broker = Broker(tmp_path / "broker", "--mortal").start()
    yield broker
    broker.kill()


numbers = itertools.count()


@pytest.fixture
def unique():
    """A name that no other test has: for topics, groups, applications."""
    return f"t{next(numbers)}"


@pytest.fixture
def make_function(tmp_path):
    made = []

    def make(script, *flags, **how):
        function = Function(tmp_path, script, *flags, **how)
        made.append(function)
        return function.start()
    yield make
    for function in made:
        function.kill()


@pytest.fixture
def make_statefun(tmp_path):
    made = []

    def make(module, name="statefun"):
        directory = tmp_path / name
        directory.mkdir()
        statefun = Statefun(directory, module)
        made.append(statefun)
        return statefun
    yield make
    for statefun in made:
        statefun.end()


@pytest.fixture(scope="session")
def greeter(tmp_path_factory):
    """It keeps nothing: what it knows of people is the state that it is given. To import what it is made of takes Python
    longer than most tests take."""
    greeter = Function(tmp_path_factory.mktemp("greeter"), GREETER).start()
    yield greeter
    greeter.kill()


@pytest.fixture
def own_greeter(make_function):
    """For tests that kill it."""
    return make_function(GREETER)


@pytest.fixture
def statefun(greeter, make_statefun):
    """One that runs the greeter, over HTTP."""
    return make_statefun(MODULE.format(url=greeter.url)).start()


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"), "our-ca")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows what everybody had to say."""
    report = yield
    if report.when == "call" and report.failed and "tmp_path" in item.funcargs:
        directory = item.funcargs["tmp_path"]
        logs = [*directory.glob("*.log"), *directory.glob("*/statefun.log"), *directory.glob("*/flink.log")]
        if "greeter" in item.funcargs:
            logs.append(item.funcargs["greeter"].log_file)
        for log in dict.fromkeys(logs):
            lines = log.read_text(errors="replace").splitlines()[-60:]
            report.sections.append((log.name, "\n".join(lines)))
    return report
