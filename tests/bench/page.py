#!/usr/bin/env python3
"""What one update costs the admin port's page: main-thread processor time in Chromium, from the frame's arrival until it is drawn.

    build/venv/bin/python tests/bench/page.py [--targets N] [--clients N] [--updates N] [--json]

The page is fed by tests/e2e/js/page_feed.js: 200 targets and 2,000 clients, of which most figures change each second. With every fifth update the
charts get a new history, as they do every five seconds. Two figures for each part of the page that is on the screen:
- the sum: the difference of Chromium's TaskDuration in thread ticks over one update, less that of an update that brings nothing. It has
  the page's own script with the parsing of the frame, style, layout and paint;
- the longest task: of the main thread's tasks of one update, from a trace, the one that took the most processor time. As long as it lasts, the page
  answers neither scrolling by script nor a click.
Needs tests/e2e/run once, for build/venv.
"""
import argparse
import json
import pathlib
import statistics
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

from browser import launch  # noqa: E402
from fed_page import Fed  # noqa: E402
from playwright.sync_api import sync_playwright  # noqa: E402

PARTS = ("TaskDuration", "ScriptDuration", "LayoutDuration", "RecalcStyleDuration")
TRACED = ("disabled-by-default-devtools.timeline", "blink.user_timing")
CHARTS_EVERY = 5  # updates


def update(page, number, send=True):
    page.page.evaluate("([send, charts]) => feed.draw(send, charts)", [send, send and number % CHARTS_EVERY == 0])


def costs(page, send, updates):
    """Milliseconds of each of PARTS, by update."""
    rows = []
    for number in range(updates):
        page.page.evaluate("feed.prepare()")
        before = page.figures()
        update(page, number, send)
        after = page.figures()
        rows.append({part: 1000 * (after[part] - before[part]) for part in PARTS})
    return rows


def longest_tasks(browser, page, updates):
    """Milliseconds of the longest task of the main thread, by update."""
    browser.start_tracing(categories=list(TRACED))
    for number in range(updates):
        page.page.evaluate("feed.prepare()")
        update(page, number)
    events = json.loads(browser.stop_tracing())["traceEvents"]
    begins, ends = ([e for e in events if e["name"] == f"update {word}" and e["ph"] != "M"] for word in ("begins", "ends"))
    assert len(begins) == len(ends) == updates, (len(begins), len(ends))
    (thread,) = {(e["pid"], e["tid"]) for e in begins}
    tasks = [e for e in events if e["name"] == "RunTask" and (e["pid"], e["tid"]) == thread]
    out = []
    for begin, end in zip(sorted(e["ts"] for e in begins), sorted(e["ts"] for e in ends)):
        out.append(max(e["tdur"] for e in tasks if e["ts"] < end and e["ts"] + e["dur"] > begin) / 1000)
    return out


def percentiles(values, base=0):
    ordered = sorted(values)
    return {"median_ms": round(statistics.median(ordered) - base, 2), "p95_ms": round(ordered[int(0.95 * len(ordered))] - base, 2)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--targets", type=int, default=200)
    parser.add_argument("--clients", type=int, default=2000)
    parser.add_argument("--updates", type=int, default=120)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with sync_playwright() as playwright:
        browser = launch(playwright)
        page = Fed(browser, options.targets, options.clients)
        scenes = {
            "first 30 targets": lambda: None,
            "all targets": page.show_all,
            "charts": lambda: page.scroll_to("The whole instance"),
            "clients": lambda: page.scroll_to("Clients"),
        }
        result = {}
        for scene, enter in scenes.items():
            enter()
            page.next(20)
            idle = costs(page, False, options.updates // 4)
            rows = costs(page, True, options.updates)
            sums = {part: percentiles([row[part] for row in rows], statistics.median(row[part] for row in idle)) for part in PARTS}
            result[scene] = {**sums, "longest task": percentiles(longest_tasks(browser, page, options.updates))}
        result["heap_mb"] = round(page.heap() / 1e6, 1)
        browser.close()
    if options.json:
        print(json.dumps(result))
        return
    for scene, parts in result.items():
        print(scene, parts)


if __name__ == "__main__":
    main()
