"""What goes wrong with the store or an instance at full load, judged by the service's own account: four instances, and more callers
than the quota has room for. The service would refuse nobody, so that each token over the limit shows in its history."""

import shutil
import signal
import time
from contextlib import ExitStack, contextmanager

import pytest
from fleet import FIT, LIMIT, PATIENT, WINDOW, Callers, Fleet, Link, Redis
from harness import wait_until

pytestmark = pytest.mark.skipif(shutil.which("redis-server") is None, reason="no redis-server here")

COUNT = 4


@pytest.fixture
def stores():
    """A primary, its replica, and each instance's own link to the primary."""
    with ExitStack() as all_of_them:
        primary, replica = all_of_them.enter_context(Redis()), all_of_them.enter_context(Redis())
        replica.run("REPLICAOF", "127.0.0.1", str(primary.port))
        wait_until(lambda: "master_link_status:up" in replica.run("INFO", "replication"), 10, "the replica")
        yield primary, replica, [all_of_them.enter_context(Link(primary.port)) for _ in range(COUNT)]


@contextmanager
def full_load(start, links):
    with Fleet(start, None, COUNT, sim=PATIENT, links=links) as fleet:
        with Callers(fleet.all, 8) as callers:
            wait_until(lambda: callers.good > 40, 30, "some answers")
            wait_until(lambda: set(fleet.modes()) == {"joined"}, 10, "every instance to join")
            time.sleep(WINDOW)
            yield fleet, callers
        assert callers.bad == []
        most = fleet.history().most()
        print("most used in a window:", most, "of", LIMIT)
        assert most <= LIMIT


def served(callers, windows):
    """Calls in so many windows, in parts of what fits them."""
    before = callers.good
    time.sleep(windows * WINDOW)
    part = (callers.good - before) / (windows * FIT)
    print("served of what fits:", part)
    return part


def joined(fleet, within=10):
    begin = time.monotonic()
    wait_until(lambda: set(fleet.modes()) == {"joined"}, within, "every instance to join again")
    print("joined after", time.monotonic() - begin)


def test_an_instance_is_killed(start, stores):
    with full_load(start, stores[2]) as (fleet, callers):
        fleet.all[2].signal(signal.SIGKILL)
        killed = time.monotonic()
        # It may be cut off rather than dead: for 25 s the others leave it what it may send alone.
        assert served(callers, 2) >= 0.4
        assert set(fleet.modes()) == {"joined"}
        time.sleep(killed + 26 + WINDOW - time.monotonic())
        assert served(callers, 2) >= 0.7


def test_the_store_is_killed(start, stores):
    primary, _, links = stores
    with full_load(start, links) as (fleet, callers):
        primary.kill()
        wait_until(lambda: set(fleet.modes()) == {"alone"}, 5, "every instance to count alone")
        assert served(callers, 2) >= 0.3
        primary.start()
        joined(fleet)
        assert served(callers, 2) >= 0.7


@pytest.mark.parametrize("cut_off", [1, COUNT], ids=["one", "all"])
def test_the_network_is_silent_for_20_seconds(start, stores, cut_off):
    _, _, links = stores
    with full_load(start, links) as (fleet, callers):
        for link in links[:cut_off]:
            link.hush()
        assert served(callers, 20 / WINDOW) >= 0.3
        assert fleet.modes().count("alone") == cut_off
        for link in links:
            link.mend()
        joined(fleet)
        assert served(callers, 2) >= 0.7


def test_a_replica_takes_over(start, stores):
    primary, replica, links = stores
    with full_load(start, links) as (fleet, callers):
        primary.kill()
        for link in links:
            link.switch(replica.port)  # which takes no writes yet
        time.sleep(1)
        assert set(fleet.modes()) == {"alone"}
        replica.run("REPLICAOF", "NO", "ONE")
        joined(fleet)
        assert served(callers, 2) >= 0.7


@pytest.mark.parametrize("harm", ["slow", "garbled", "cut"])
def test_a_link_is(start, stores, harm):
    _, _, links = stores
    with full_load(start, links) as (fleet, callers):
        for link in links[:2]:
            if harm == "slow":
                link.delay = 0.2
            elif harm == "garbled":
                link.garble()
            else:
                link.cut()
        wait_until(lambda: fleet.modes().count("alone") == 2, 5, "two to count alone")
        assert served(callers, 1) >= 0.3
        for link in links:
            link.mend()
        joined(fleet)
        assert served(callers, 2) >= 0.7
