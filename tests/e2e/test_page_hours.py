"""The page over an hour, from a scripted stream of frames: what a real gateway would take an hour for."""

import pytest
from fed_page import Fed

pytestmark = pytest.mark.xdist_group("browser")  # one browser at a time


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
