"""Orders of an operator: close, drain and open targets, shed a class of calls."""

import pytest

from harness import EAST, SONNET, WEST, ask, command, converse, headers_of, wait_until


@pytest.fixture
def pair(start):
    return start(weir={"routes": [{"model": SONNET, "targets": [{"region": EAST}, {"region": WEST}]}]})


def target(s, *words):
    done = command("target", *words, "--url", f"http://127.0.0.1:{s.weir.admin}")
    return done.returncode, done.stdout + done.stderr


def place(client):
    return headers_of(converse(client))["x-weir-target"].split("/")[0]


def test_a_closed_region_gets_nothing_until_it_is_opened(pair):
    client = pair.weir.boto()
    assert place(client) == EAST
    code, text = target(pair, "close", EAST, "--for", "15m", "--reason", "odd answers")
    assert code == 0, text
    assert f"closed for 15 min: {EAST}/{SONNET}" in text
    assert place(client) == WEST
    east = next(t for t in pair.weir.status()["targets"] if t["region"] == EAST)
    assert east["held"]["state"] == "closed" and east["held"]["reason"] == "odd answers"
    assert east["held"]["by"] == "operator" and 880 < east["held"]["seconds_left"] <= 900
    assert pair.weir.metrics().sum("weir_target_held", region=EAST, model=SONNET, state="closed") == 1
    assert pair.weir.metrics().sum("weir_target_skipped_total", region=EAST, reason="closed") == 1
    code, text = target(pair, "list")
    assert code == 0 and "held closed for 15 min by operator: odd answers" in text, text
    logged = lambda: [l for l in pair.weir.log().splitlines() if "close every model" in l]  # noqa: E731
    line = wait_until(logged, what="a line in the log")[0]
    assert "odd answers" in line and "127.0.0.1" in line
    code, text = target(pair, "open", EAST)
    assert code == 0, text
    assert place(client) == EAST
    assert pair.weir.status()["overrides"] == []


def test_who_has_no_other_target_is_told_at_once(pair):
    for region in (EAST, WEST):
        assert target(pair, "close", f"{region}/{SONNET}", "--for", "10m")[0] == 0
    reply = pair.weir.converse()
    assert reply.status == 503
    assert "closed by order of the operator" in reply.json()["message"]
    assert pair.weir.metrics().sum("weir_refusals_total", reason="closed") == 1
    # A drained one serves those who have no other.
    assert target(pair, "drain", WEST, SONNET, "--for", "10m")[0] == 0
    assert place(pair.weir.boto()) == WEST


def test_an_order_ends_by_itself(pair):
    client = pair.weir.boto()
    reply = ask(pair.weir.admin, "POST", f"/targets/close?region={EAST}&for=1s&reason=a+moment")
    assert reply.status == 200 and reply.json()["seconds"] == 1
    assert [t["region"] for t in reply.json()["targets"]] == [EAST]
    wait_until(lambda: place(client) == EAST, what="the end of the order")
    wait_until(lambda: "its time is over" in pair.weir.log(), what="a line in the log")


def test_wrong_orders_are_refused_and_named(pair):
    code, text = target(pair, "close", "us-est-1")
    assert code == 1 and "not declared; declared are us-east-1, us-west-2" in text
    code, text = target(pair, "close", EAST, "anthropic.claude-9")
    assert code == 1 and SONNET in text
    code, text = target(pair, "close", EAST, "--for", "15")
    assert code == 1 and "with its unit" in text
    assert target(pair, "close")[0] == 2
    assert target(pair, "close", f"{EAST}/a", "b")[0] == 2
    assert ask(pair.weir.admin, "GET", "/targets/close").status == 405
    assert ask(pair.weir.admin, "POST", "/targets").status == 405
    assert ask(pair.weir.admin, "POST", "/targets/close", {"region": EAST, "reason": "x" * 20_000}).status == 413
    assert ask(pair.weir.admin, "POST", "/targets/shut", {"region": EAST}).status == 400
    # A wider order is not undone by a narrower one.
    assert target(pair, "close", EAST)[0] == 0
    code, text = target(pair, "open", EAST, SONNET)
    assert code == 1 and "a wider order" in text
    assert target(pair, "open", EAST, SONNET, "--for", "1m")[0] == 0
    assert place(pair.weir.boto()) == EAST


def test_a_class_of_calls_is_shed(pair):
    client = pair.weir.boto()
    batch = {"x-weir-priority": "batch"}
    assert pair.weir.converse(headers=batch).status == 200
    assert ask(pair.weir.admin, "POST", "/shed", {"priority": "batch", "for": "5m", "reason": "launch"}).status == 200
    reply = pair.weir.converse(headers=batch)
    assert reply.status == 429 and "by order of the operator" in reply.json()["message"]
    assert place(client) == EAST
    assert pair.weir.metrics().sum("weir_shedding", priority="batch") == 1
    assert pair.weir.status()["shedding"][0]["reason"] == "launch"
    assert ask(pair.weir.admin, "POST", "/shed?for=0s").status == 200
    assert pair.weir.converse(headers=batch).status == 200
