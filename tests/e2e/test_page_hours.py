"""The page over an hour, from a scripted stream of frames: what a real gateway would take an hour for."""

from pathlib import Path

import pytest
from browser import PATIENCE

pytestmark = pytest.mark.xdist_group("browser")  # one browser at a time

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


class Fed:
    """The page, fed by js/page_feed.js."""

    def __init__(self, browser, targets, clients):
        self.context = browser.new_context(viewport={"width": 1280, "height": 900})
        self.context.add_init_script((HERE / "js/page_feed.js").read_text())
        self.context.add_init_script(f"feed.world({targets}, {clients})")
        self.page = self.context.new_page()
        self.page.set_default_timeout(PATIENCE * 10 * 1000)
        self.complaints = []
        self.page.on("pageerror", lambda e: self.complaints.append(str(e)))
        html = (ROOT / "web/page.html").read_text()
        self.page.route("**/*", lambda route: route.fulfill(body=html, content_type="text/html; charset=utf-8"))
        self.page.goto("http://127.0.0.1:7071/", wait_until="domcontentloaded")
        self.session = self.context.new_cdp_session(self.page)
        self.session.send("Performance.enable", {"timeDomain": "threadTicks"})
        self.page.wait_for_function("feed.listening()")
        self.next(3)

    def next(self, seconds=1):
        """So many frames, each drawn before the next one comes."""
        return self.page.evaluate("n => feed.next(n)", seconds)

    def until(self, second):
        while (seen := self.page.evaluate("feed.seconds")) < second:
            self.next(min(100, second - seen))

    def figures(self):
        return {m["name"]: m["value"] for m in self.session.send("Performance.getMetrics")["metrics"]}

    def heap(self):
        for _ in range(2):
            self.session.send("HeapProfiler.collectGarbage")
        return self.figures()["JSHeapUsedSize"]

    def show_all(self):
        more = self.page.get_by_role("button", name="more targets")
        if more.count():
            more.click()
        return self


@pytest.fixture
def fed(chromium):
    seen = []

    def make(*world):
        seen.append(Fed(chromium, *world))
        return seen[-1]

    yield make
    for one in seen:
        one.context.close()


def test_an_hour_open_does_not_grow(fed):
    page = fed(40, 200).show_all()
    page.until(600)
    heap, nodes = page.heap(), page.figures()["Nodes"]
    page.until(3600)
    later, nodes_later = page.heap(), page.figures()["Nodes"]
    print(f"heap {heap / 1e6:.1f} MB after 600 frames, {later / 1e6:.1f} MB after 3,600; nodes {nodes:.0f} and {nodes_later:.0f}")
    assert later < 1.15 * heap + 1e6
    assert nodes_later < 1.1 * nodes + 200
    assert page.complaints == []


def test_200_targets_and_2000_clients_stay_below_100_mb(fed):
    page = fed(200, 2000).show_all()
    page.next(100)
    heap = page.heap()
    print(f"heap {heap / 1e6:.1f} MB")
    assert page.page.locator(".target").count() == 200
    assert heap < 100e6
    assert page.complaints == []
