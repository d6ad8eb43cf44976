"""A restart at full quota: what was used before it is known from the state file, or found out with few refusals."""

import json
import os
import signal
import stat
import time
from pathlib import Path

import pytest
from harness import EAST, SONNET, TERM, Crowd, Gateway, ask, wait_until

WINDOW = 6
LIMIT = 60_000
MOST_REFUSALS = 3


def settings(told=True, state=None):
    weir = {
        "routes": [{"model": SONNET, "targets": [{"region": EAST}]}],
        "quota_window": f"{WINDOW}s",
        "queue": {"deadline": "5s"},
    }
    if told:
        weir["quotas"] = [{"model": SONNET, "tokens_per_minute": LIMIT, "output_burndown": 1}]
    if state:
        weir["state_file"] = str(state)
    return weir


def sim(shape):
    return {
        "quota_window": f"{WINDOW}s",
        "window_kind": shape,
        "models": {"*": {"requests_per_minute": 100_000, "tokens_per_minute": LIMIT, "output_burndown": 1,
                         "time_to_first_token": "50ms", "tokens_per_second": 400,
                         "output_tokens": {"mean": 200, "spread": 0.1}}},
    }


class Callers(Crowd):
    """Callers who ask again as soon as they are told anything."""

    def __init__(self, weir, callers=40):
        super().__init__([self._run] * callers)
        self.weir, self.served = weir, 0

    def _run(self):
        while not self.stopping.is_set():
            try:
                status = self.weir.converse(max_tokens=2000, timeout=10).status
            except OSError:
                status = 0
            if status == 200:
                with self.lock:
                    self.served += 1
            else:
                time.sleep(0.05)


def refusals(s):
    return s.sim.truth(key="throttled_tokens") + s.sim.truth(key="throttled_requests")


def restart_at_full_quota(s, weir, how):
    """Loads the first weir until the quota is full, ends it, and gives the refusals of the next one's first window beyond
    those of the window before, what was served in it, and its log."""
    with Callers(s.weir) as crowd:
        wait_until(lambda: crowd.served >= 40, 20, "some answers")
        time.sleep(WINDOW / 2)
        before = refusals(s)
        time.sleep(WINDOW)
        ordinary = refusals(s) - before
        s.weir.signal(how)
        s.weir.popen.wait(20)
    folder = Path(s.folder) / "again"
    folder.mkdir()
    with Gateway(folder, s.sim, weir) as again:
        before = refusals(s)
        with Callers(again) as crowd:
            time.sleep(WINDOW)
            more = refusals(s) - before - ordinary
            served = crowd.served
        again.check_alive()
        return more, served, again.log()


@pytest.mark.parametrize("shape", ["sliding", "fixed", "bucket"])
@pytest.mark.parametrize("how", [TERM, signal.SIGKILL], ids=["drain", "kill"])
def test_a_state_file_makes_a_restart_unnoticed(start, tmp_path, how, shape):
    weir = settings(state=tmp_path / "state.json")
    more, served, log = restart_at_full_quota(start(regions=(EAST,), weir=weir, sim=sim(shape)), weir, how)
    assert "tells the use of 1 quotas" in log
    assert more <= MOST_REFUSALS
    assert served >= 25  # of 60 to 120 that the quota allows


@pytest.mark.parametrize("told", [True, False], ids=["told", "learned"])
@pytest.mark.parametrize("shape", ["sliding", "fixed", "bucket"])
def test_without_one_few_calls_find_out(start, shape, told):
    weir = settings(told)
    more, served, _ = restart_at_full_quota(start(regions=(EAST,), weir=weir, sim=sim(shape)), weir, signal.SIGKILL)
    # A limit that nobody told is learned from refusals, after a start as at any other time.
    assert more <= (MOST_REFUSALS if told else 20)
    assert served >= 5


def test_a_fresh_start_makes_nobody_wait(start):
    s = start(regions=(EAST,), weir={**settings(), "quota_window": "60s"}, sim={**sim("sliding"), "quota_window": "60s"})
    begin = time.monotonic()
    assert s.weir.converse().status == 200
    assert s.weir.line(status=200)["queued_ms"] < 100
    with Callers(s.weir, callers=8) as crowd:
        wait_until(lambda: crowd.served >= 16, 10, "sixteen answers")
    assert refusals(s) == 0
    assert time.monotonic() - begin < 30


def test_the_file_is_small_private_and_without_content(start, tmp_path):
    state = tmp_path / "state.json"
    s = start(regions=(EAST,), weir=settings(state=state), sim=sim("sliding"))
    assert s.weir.converse("a secret prompt", headers={"x-weir-client": "somebody"}).status == 200
    wait_until(lambda: state.exists() and "1" in state.read_text() and json.loads(state.read_text())["pools"], 10, "the file")
    text = state.read_text()
    assert json.loads(text)["weir_state"] == 1 and json.loads(text)["complete"] is False
    assert stat.S_IMODE(os.stat(state).st_mode) == 0o600
    assert len(text) < 10_000
    for secret in ("secret prompt", "somebody", "AKID"):
        assert secret not in text
    s.weir.signal(TERM)
    assert s.weir.popen.wait(20) == 0
    assert json.loads(state.read_text())["complete"] is True
    assert [p.name for p in tmp_path.iterdir()] == ["state.json"]


@pytest.mark.parametrize("content", [
    b"", b"{", b"null", b"[" * 100_000, b'{"weir_state": 99}', b"\xff\xfe\x00", b'{"weir_state": 1}',
    b'{"weir_state": 1, "written_ms": 1e14, "complete": true, "window_ms": 6000, "pools": []}',
    b'{"weir_state": 1, "written_ms": 1, "complete": true, "window_ms": 60000, "pools": []}',
])
def test_a_file_that_is_no_use_is_named_and_left(start, tmp_path, content):
    state = tmp_path / "state.json"
    state.write_bytes(content)
    s = start(regions=(EAST,), weir=settings(state=state), sim=sim("sliding"))
    assert s.weir.converse().status == 200
    wait_until(lambda: "is not used, because" in s.weir.log(), 5, "the line")
    assert s.weir.log().count("is not used, because") == 1
    wait_until(lambda: b'"weir_state":1' in state.read_bytes(), 10, "the file to be written anew")


def test_a_folder_that_goes_away_costs_a_line(start, tmp_path):
    folder = tmp_path / "state"
    folder.mkdir()
    s = start(regions=(EAST,), weir=settings(state=folder / "state.json"), sim=sim("sliding"))
    wait_until(lambda: (folder / "state.json").exists(), 10, "the file")
    (folder / "state.json").unlink()
    folder.rmdir()
    for _ in range(3):
        assert s.weir.converse().status == 200
        time.sleep(0.3)
    wait_until(lambda: "cannot write" in s.weir.log(), 10, "the warning")
    time.sleep(1)
    assert s.weir.log().count("cannot write") == 1
    folder.mkdir()
    assert s.weir.converse().status == 200
    wait_until(lambda: (folder / "state.json").exists(), 10, "the file again")


def test_systemds_folder_is_used(start, tmp_path):
    s = start(regions=(EAST,), weir=settings(), sim=sim("sliding"), env={"STATE_DIRECTORY": f"{tmp_path}:/nowhere"})
    assert s.weir.converse().status == 200
    wait_until(lambda: (tmp_path / "weir-state.json").exists(), 10, "the file")
    assert ask(s.weir.admin, "POST", "/reload").status == 200
