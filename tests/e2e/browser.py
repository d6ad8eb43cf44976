"""Debian's Chromium, and the admin port's page in it."""

import os
import shutil
from pathlib import Path

from harness import EAST, SONNET

CHROMIUM = shutil.which("chromium")
PATIENCE = 60  # s: a loaded machine takes its time, a page that is wrong never comes true
EAST_SONNET = f"default/{EAST}/{SONNET}"
AXE = Path(os.environ.get("WEIR_E2E_JS", "")) / "node_modules/axe-core/axe.min.js"


def launch(playwright):
    return playwright.chromium.launch(
        executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
    )


class Watched:
    """A page that must not complain, nor ask any other server."""

    def __init__(self, browser, port, **context):
        self.context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **context})
        self.context.add_init_script(
            "window.violations = []; document.addEventListener('securitypolicyviolation', e => violations.push(e.violatedDirective + ' ' + e.blockedURI))"
        )
        self.page = self.context.new_page()
        self.page.set_default_timeout(PATIENCE * 1000)
        self.port, self.complaints, self.foreign = port, [], []
        self.page.on("console", lambda m: self.complaints.append(m.text) if m.type in ("error", "warning") else None)
        self.page.on("pageerror", lambda e: self.complaints.append(str(e)))
        self.page.on("request", lambda r: self.foreign.append(r.url) if not self.own(r.url) else None)

    def own(self, url):
        return url.startswith((f"http://127.0.0.1:{self.port}/", "data:"))

    def open(self, route=""):
        self.page.goto(f"http://127.0.0.1:{self.port}/{route}", wait_until="domcontentloaded")
        return self

    def live(self):
        self.page.wait_for_selector(".live:text('Live')")
        return self

    def until(self, script, argument=None):
        """Until this expression of the page is true."""
        return self.page.wait_for_function(script, arg=argument, polling=100)

    def row(self, target=EAST_SONNET):
        return self.page.locator(f'[data-target="{target}"]')

    def says(self, text):
        """Until the list of what is wrong says so."""
        self.page.locator(".troubles li", has_text=text).first.wait_for()

    def silent(self, text):
        self.page.locator(".troubles li", has_text=text).first.wait_for(state="hidden")

    def state(self, word, target=EAST_SONNET):
        self.until("([t, w]) => document.querySelector(`[data-target='${t}'] .state`)?.textContent === w", [target, word])

    def check(self, expected=()):
        """`expected`: parts of complaints that the test has caused."""
        assert self.page.evaluate("violations") == []
        assert self.foreign == []
        assert [c for c in self.complaints if not any(e in c for e in expected)] == []

    def axe(self):
        self.page.evaluate(AXE.read_text() + "; null")
        found = self.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        return [(v["id"], [n["html"][:200] for n in v["nodes"]][:3]) for v in found["violations"]]

    def picture(self, name):
        folder = os.environ.get("WEIR_PICTURES")
        if folder:
            self.page.screenshot(path=str(Path(folder) / f"{name}.png"), full_page=True)
