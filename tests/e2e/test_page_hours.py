"""The page over an hour and under many targets, from a scripted stream of frames: what a real gateway would take an hour for."""

import pytest
from fed_page import fed  # noqa: F401  a fixture

pytestmark = pytest.mark.xdist_group("browser")  # one browser at a time


def test_an_hour_open_does_not_grow(fed):
    page = fed(20, 50).show_all()
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


# A clock in which every piece of work takes longer than a slice may: each part of the page is drawn in an animation frame of its own.
ONE_PART_A_FRAME = "let now = 0; performance.now = () => (now += 100)"

ROWS = """() => [...document.querySelectorAll('.target')].map((row) => {
  const { top, bottom } = row.getBoundingClientRect();
  return {
    name: row.dataset.target,
    label: row.querySelector('a').ariaLabel,
    link: decodeURIComponent(row.querySelector('a').hash),
    onScreen: bottom > 0 && top < innerHeight,
    visible: [...row.querySelectorAll('.bars, .facts')].every((node) => getComputedStyle(node).visibility === 'visible'),
    inFlight: row.querySelector('dd').textContent,
    bars: [...row.querySelectorAll('.bar-text')].map((text) => text.textContent),
    state: row.querySelector('.state').textContent,
  };
})"""


# Of rows of targets that change together: an observer is told once a slice.
MOST_ROWS_AT_ONCE = """() => {
  window.most = 0;
  const rowOf = ({ target }) => (target instanceof Element ? target : target.parentElement).closest('.target');
  new MutationObserver((changes) => { most = Math.max(most, new Set(changes.map(rowOf)).size); })
    .observe(document.querySelector('.targets'), { subtree: true, childList: true, characterData: true, attributes: true });
}"""


def check_rows(page):
    """Each target has one row, and what is on the screen is as the newest frame says; returns how many those are."""
    targets, rows = page.page.evaluate("feed.targets()"), page.page.evaluate(ROWS)
    assert sorted(row["name"] for row in rows) == sorted(targets)
    assert all(row["label"] == row["name"] and row["link"] == f"#/target/{row['name']}" for row in rows)
    seen = [row for row in rows if row["onScreen"]]
    for row in seen:
        target = targets[row["name"]]
        assert row["visible"], row
        assert row["inFlight"] == str(target["in_flight"]), row
        assert [bar.split(" of ")[0] for bar in row["bars"]] == [f"{limit['used']:,}" for limit in target["limits"]], row
        assert row["state"] == {"closed": "up", "open": "down"}[target["breaker"]], row
    return len(seen)


def test_slices_draw_everything_with_the_newest_figures(fed):
    page = fed(60, 100, before=ONE_PART_A_FRAME).show_all()
    page.next(3)
    rows = page.page.locator(".target")
    assert rows.count() == 60
    rows.first.evaluate("node => node.scrollIntoView()")
    page.page.evaluate(MOST_ROWS_AT_ONCE)
    page.rush(20)
    assert check_rows(page) >= 8
    assert page.page.evaluate("most") == 1, "each row in a slice of its own"
    # What was out of sight is drawn when it comes near, without a newer frame.
    rows.last.evaluate("node => node.scrollIntoView({ block: 'end' })")
    page.settle()
    assert check_rows(page) >= 8
    page.scroll_to("Clients")
    page.next(1)
    clients = page.page.get_by_role("region", name="Clients").locator("tbody tr")
    assert clients.count() == 30
    waiting = [int(text) for text in clients.locator("td:nth-child(4)").all_inner_texts()]
    assert waiting == sorted(waiting, reverse=True) and waiting == page.page.evaluate("feed.waiting(30)")
    assert page.complaints == []


def test_the_focus_goes_with_its_target(fed):
    page = fed(60, 50).show_all()
    page.next(3)
    names = "() => [...document.querySelectorAll('.target')].map((row) => row.dataset.target)"
    focused = page.page.locator(".target a").nth(5)
    focused.focus()
    name, before = focused.get_attribute("aria-label"), page.page.evaluate(names)
    places = set()
    for _ in range(20):
        page.next(1)
        assert page.page.evaluate("document.activeElement.ariaLabel") == name
        places.add(page.page.evaluate(names).index(name))
    assert page.page.evaluate(names) != before and len(places) > 1, "the order has changed"
    page.page.keyboard.press("Enter")
    page.page.get_by_role("heading", name=f"Target {name}").wait_for()
    assert page.complaints == []
