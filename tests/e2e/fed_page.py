"""The admin port's page without weir: a scripted stream of frames feeds it, as fast as it can draw them."""

import os
from pathlib import Path

import pytest
from harness import sanitized

HERE = Path(__file__).parent
ROOT = HERE.parents[1]

# The feed turns each frame into JSON from the same object: a copy is changed.
CHANGE = """{
  const plain = JSON.stringify;
  JSON.stringify = (value, ...more) => {
    if (value?.status?.targets === undefined) {
      return plain(value, ...more);
    }
    const frame = structuredClone(value);
    %s;
    return plain(frame, ...more);
  };
}"""

ANSWER = """{
  const fed = window.fetch;
  const json = (status, body) => new Response(JSON.stringify(body), { status });
  window.fetch = async (path, init) => (await (async () => { %s })()) ?? fed(path, init);
}"""


SHOWN = 30  # rows of targets, until more are asked for


class Fed:
    """The page, fed by js/page_feed.js."""

    def __init__(self, browser, targets, clients, before="", change="", answer="", route="", listens=True, **context):
        """`before`: script that runs in the page before its own. `change`: what it does to each `frame` before it is sent.
        `answer`: statements that return the answer to a `fetch(path, init)`, or nothing to leave it to the feed. `listens`:
        the page asks for frames at once."""
        self.targets = targets
        self.context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **context})
        self.context.add_init_script((HERE / "js/page_feed.js").read_text())
        self.context.add_init_script(f"feed.world({targets}, {clients}); {before}")
        if change:
            self.context.add_init_script(CHANGE % change)
        if answer:
            self.context.add_init_script(ANSWER % answer)
        self.page = self.context.new_page()
        self.page.set_default_timeout(600_000)
        self.complaints = []
        self.page.on("pageerror", lambda e: self.complaints.append(str(e)))
        html = (ROOT / "web/page.html").read_text()
        self.page.route("**/*", lambda route: route.fulfill(body=html, content_type="text/html; charset=utf-8"))
        self.page.goto(f"http://127.0.0.1:7071/{route}", wait_until="domcontentloaded")
        self.session = self.context.new_cdp_session(self.page)
        self.session.send("Performance.enable", {"timeDomain": "threadTicks"})
        if listens:
            self.begin()

    def begin(self):
        self.page.wait_for_function("feed.listening()")
        self.next(3)

    def next(self, seconds=1):
        """So many frames, each drawn before the next one comes."""
        return self.page.evaluate("n => feed.next(n)", seconds)

    def rush(self, seconds):
        """So many frames, one each animation frame: faster than they can be drawn."""
        return self.page.evaluate("n => feed.rush(n)", seconds)

    def picture(self, name):
        folder = os.environ.get("WEIR_PICTURES")
        if folder:
            self.page.screenshot(path=str(Path(folder) / f"{name}.png"))

    def settle(self):
        """Until it has drawn what came near when it was scrolled."""
        self.page.evaluate("feed.draw(false)")

    def until(self, second):
        while (seen := self.page.evaluate("feed.seconds")) < second:
            self.rush(min(100, second - seen))

    def figures(self):
        return {m["name"]: m["value"] for m in self.session.send("Performance.getMetrics")["metrics"]}

    def heap(self):
        for _ in range(2):
            self.session.send("HeapProfiler.collectGarbage")
        return self.figures()["JSHeapUsedSize"]

    def show_all(self):
        if self.targets > SHOWN:
            self.page.get_by_role("button", name="more targets").click()  # once it is drawn
        return self

    def scroll_to(self, heading):
        self.page.get_by_role("heading", name=heading, exact=True).evaluate("node => node.scrollIntoView()")
        return self


@pytest.fixture
def fed(chromium):
    """fed(targets, clients, ...) opens a page that is fed. Weir has no part in it, and a sanitizer none to look at."""
    if sanitized():
        pytest.skip("no weir runs here")
    seen = []

    def make(*world, **more):
        seen.append(Fed(chromium, *world, **more))
        return seen[-1]

    yield make
    for one in seen:
        one.context.close()
