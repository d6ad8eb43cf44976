import signal
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import browser  # noqa: E402
from harness import Gateway, Stack, ask_http2  # noqa: E402


# A shell ignores it for what it starts in the background, and every program under test would as well.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish(session):
    """With pytest 9.2, pytest-xdist 3.8 passes over xdist_group without a word, and each process builds the long fixtures
    of a file for itself."""
    if session.config.getoption("loadgroup", False):
        for item in session.items:
            grouped = "@" in item.nodeid or not item.get_closest_marker("xdist_group")
            assert grouped, f"pytest {pytest.__version__} and this pytest-xdist do not keep groups together: {item.nodeid}"


@pytest.fixture(autouse=True)
def no_aws_environment(monkeypatch):
    """The SDKs see no one's own settings."""
    import os

    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")


@pytest.fixture(params=["http1", "http2"])
def protocol(request, monkeypatch):
    """What Gateway.ask and Gateway.converse speak in this test."""
    if request.param == "http2":
        monkeypatch.setattr(Gateway, "asks", staticmethod(ask_http2))
    return request.param


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    setattr(item, "report_" + report.when, report)
    if report.when == "call" and report.failed:
        for stack in getattr(item, "stacks", []) + [
            s for s in getattr(item, "funcargs", {}).values() if isinstance(s, Stack)
        ]:
            try:
                report.sections.append(("weir and its simulator", stack.report()))
            except Exception as problem:
                report.sections.append(("weir and its simulator", f"no report: {problem!r}"))
    return report


@pytest.fixture
def start(request):
    """start(weir={...}, sim={...}) gives a Stack of this test's own."""
    stacks = []
    request.node.stacks = stacks

    def make(**kwargs):
        stack = Stack(**kwargs).__enter__()
        stacks.append(stack)
        request.addfinalizer(lambda: stack.__exit__(None, None, None))
        return stack

    return make


@pytest.fixture(scope="module")
def plain():
    """One stack a file for tests that leave no trace on each other."""
    with Stack() as stack:
        yield stack


@pytest.fixture
def healthy(plain):
    """`plain`, with its faults taken away before and after."""
    plain.sim.heal()
    yield plain
    plain.sim.heal()


@pytest.fixture(scope="module")
def chromium():
    if browser.CHROMIUM is None:
        pytest.skip("Debian's package chromium is not installed: the page is not tested")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = browser.launch(playwright)
        yield running
        running.close()


@pytest.fixture
def look(chromium):
    """look(stack, ...) opens the page of a stack's admin port."""
    seen = []

    def make(stack, route="", **context):
        watched = browser.Watched(chromium, stack.weir.admin, **context)
        seen.append(watched)
        return watched.open(route)

    yield make
    for watched in seen:
        watched.context.close()
