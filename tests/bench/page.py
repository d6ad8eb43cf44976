#!/usr/bin/env python3
"""What one update costs the admin port's page: main-thread processor time in Chromium, from the frame's arrival until it is drawn.

    build/venv/bin/python tests/bench/page.py [--targets N] [--clients N] [--updates N] [--json]

The page is fed by tests/e2e/js/page_feed.js: 200 targets, all shown, and 2,000 clients, of which most figures change each second.
The figure is the difference of Chromium's TaskDuration in thread ticks over one update, less that of an update that brings nothing: processor
time of the page's main thread, its own script with the parsing of the frame, style, layout and paint. Needs tests/e2e/run once, for build/venv.
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


def costs(page, send, updates):
    """Milliseconds of each of PARTS, by update."""
    rows = []
    for _ in range(updates):
        before = page.figures()
        page.page.evaluate("send => feed.draw(send)", send)
        after = page.figures()
        rows.append({part: 1000 * (after[part] - before[part]) for part in PARTS})
    return rows


def summary(rows, idle):
    out = {}
    for part in PARTS:
        values = sorted(row[part] for row in rows)
        base = statistics.median(row[part] for row in idle)
        out[part] = {"median_ms": round(statistics.median(values) - base, 2), "p95_ms": round(values[int(0.95 * len(values))] - base, 2)}
    return out


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
        result = {}
        for shown in ("first 30 targets", "all targets"):
            if shown == "all targets":
                page.show_all()
            page.next(20)
            idle = costs(page, False, options.updates // 4)
            result[shown] = summary(costs(page, True, options.updates), idle)
        result["heap_mb"] = round(page.heap() / 1e6, 1)
        browser.close()
    if options.json:
        print(json.dumps(result))
        return
    for shown, parts in result.items():
        print(shown, parts)


if __name__ == "__main__":
    main()
