"""Orders of an operator: close, drain and open targets, shed a class of calls, pause a client."""

import hashlib
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness import EAST, SONNET, WEST, Gateway, ask, command, converse, headers_of, wait_until
from scripted import Endpoints


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


def test_to_open_for_a_time_takes_back_what_closed_it(pair):
    assert target(pair, "close", EAST, SONNET, "--for", "8h")[0] == 0
    # as the page does it, which always names the account
    opened = ask(pair.weir.admin, "POST", "/targets/open", {"region": EAST, "model": SONNET, "account": "default", "for": "1s"})
    assert opened.status == 200 and opened.json()["afterwards"] is None
    wait_until(lambda: pair.weir.status()["overrides"] == [], what="the end of the order")
    assert place(pair.weir.boto()) == EAST
    # A wider order stays, and that is told.
    assert target(pair, "close", EAST, "--for", "8h")[0] == 0
    code, text = target(pair, "open", EAST, SONNET, "--for", "1s")
    assert code == 0 and "A wider order holds them closed for another 480 min: it applies again afterwards." in text, text
    wait_until(lambda: len(pair.weir.status()["overrides"]) == 1, what="the end of the order")
    assert place(pair.weir.boto()) == WEST
    code, text = target(pair, "open", EAST, SONNET, "--for", "9h")
    assert code == 0 and "afterwards" not in text, "it ends before this one"


def test_an_order_that_is_refused_changes_nothing(pair):
    assert target(pair, "close", EAST, "--for", "8h")[0] == 0
    assert target(pair, "drain", EAST, SONNET, "--for", "8h")[0] == 0
    refused = ask(pair.weir.admin, "POST", "/targets/open", {"region": EAST, "model": SONNET})
    assert refused.status == 409 and "a wider order holds closed" in refused.json()["message"]
    assert len(pair.weir.status()["overrides"]) == 2
    assert target(pair, "open", EAST)[0] == 0
    assert pair.weir.status()["overrides"] == [], "it covers both"


def test_a_region_that_there_is_not_is_refused_without_declared_ones_too(tmp_path):
    with Gateway(tmp_path, Endpoints(us_east_1=1), {"regions": None, "routes": None, "default_region": EAST}) as weir:
        def close(region):
            return ask(weir.admin, "POST", "/targets/close", {"region": region})

        assert close("us-esat-1").status == 404
        assert "`us-esat-1` is no Region that this weir knows" in close("us-esat-1").json()["message"]
        assert close("us-west-2").status == 200


def test_what_status_prints_is_understood(pair):
    converse(pair.weir.boto())
    assert target(pair, "close", f"{EAST}/mantle/{SONNET}")[0] == 0
    assert place(pair.weir.boto()) == WEST


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


def client(s, *words):
    done = command("client", *words, "--url", f"http://127.0.0.1:{s.weir.admin}")
    return done.returncode, done.stdout + done.stderr


def test_a_paused_client_is_refused_and_others_are_not(pair):
    runaway, other = {"x-weir-client": "etl"}, {"x-weir-client": "chat"}
    assert pair.weir.converse(headers=runaway).status == 200
    code, text = client(pair, "pause", "etl", "--for", "15m", "--reason", "runs away")
    assert code == 0 and "paused for 15 min: etl" in text, text
    reply = pair.weir.converse(headers=runaway)
    assert reply.status == 429 and "of this client" in reply.json()["message"]
    assert int(reply.headers["retry-after"]) == 60, "the longest that is asked for"
    assert pair.weir.converse(headers=other).status == 200
    (paused,) = pair.weir.status()["paused"]
    assert (paused["client"], paused["by"], paused["reason"]) == ("etl", "operator", "runs away")
    assert 880 < paused["seconds_left"] <= 900
    metrics = pair.weir.metrics()
    assert metrics.sum("weir_client_paused", client="etl") == 1
    assert metrics.sum("weir_refusals_total", reason="paused", client="etl") == 1
    code, text = client(pair, "list")
    assert code == 0 and "the calls of etl are refused for another 15 min, by operator: runs away" in text, text
    wait_until(lambda: "pause client etl for 900 s, because: runs away" in pair.weir.log(), what="a line in the log")
    code, text = client(pair, "resume", "etl")
    assert code == 0 and "resumed: etl" in text, text
    assert pair.weir.converse(headers=runaway).status == 200
    assert pair.weir.status()["paused"] == [] and not pair.weir.metrics().labels("weir_client_paused")
    wait_until(lambda: "resume client etl" in pair.weir.log(), what="a line in the log")
    code, text = client(pair, "resume", "etl")
    assert code == 0 and "was not paused: etl" in text, text


def test_a_pause_ends_by_itself(pair):
    runaway = {"x-weir-client": "etl"}
    reply = ask(pair.weir.admin, "POST", "/clients/pause?client=etl&for=1s&reason=a+moment")
    assert reply.status == 200
    assert reply.json() == {"order": "pause", "client": "etl", "seconds": 1, "reason": "a moment"}
    assert pair.weir.converse(headers=runaway).status == 429
    wait_until(lambda: pair.weir.converse(headers=runaway).status == 200, what="the end of the pause")
    wait_until(lambda: "client etl is no longer paused by operator" in pair.weir.log(), what="a line in the log")


def test_calls_that_wait_and_requests_that_are_passed_on_are_paused_too(start):
    s = start(
        weir={
            "quotas": [{"model": SONNET, "region": EAST, "tokens_per_minute": 3000}],
            "routes": [{"model": SONNET, "targets": [{"region": EAST}]}],
        },
        sim={"models": {"*": {"requests_per_minute": 1000, "tokens_per_minute": 1_000_000, "time_to_first_token": "2s"}}},
    )
    runaway = {"x-weir-client": "etl"}
    guarded = lambda: ask(  # noqa: E731
        s.weir.port, "POST", "/guardrail/abc/version/1/apply", {"source": "INPUT", "content": []}, headers=runaway
    )
    before = guarded()
    with ThreadPoolExecutor(6) as crowd:
        calls = [crowd.submit(s.weir.converse, max_tokens=1000, headers=runaway, timeout=60) for _ in range(6)]
        wait_until(lambda: s.weir.status()["waiting_calls"] > 0, what="waiting calls")
        assert client(s, "pause", "etl")[0] == 0
        seen = {call.result(60).status for call in calls}
    assert 429 in seen and seen <= {200, 429}
    assert before.status != 429
    reply = guarded()
    assert reply.status == 429 and "of this client" in reply.json()["message"]
    assert client(s, "resume", "etl")[0] == 0
    assert guarded().status == before.status


def test_an_sdk_that_was_refused_by_a_pause_goes_on_after_it(pair):
    headers = {"x-weir-client": "etl", "amz-sdk-invocation-id": "6c7b9e0a-0000-4000-8000-000000000001"}
    assert client(pair, "pause", "etl", "--for", "1h")[0] == 0
    assert pair.weir.converse(headers=headers).status == 429
    assert pair.weir.converse(headers=headers).status == 429
    assert client(pair, "resume", "etl")[0] == 0
    assert pair.weir.converse(headers=headers).status == 200


def test_wrong_orders_for_clients_are_refused_and_named(start):
    s = start(weir={"clients": [{"name": "chat", "key_sha256": hashlib.sha256(b"sesame").hexdigest()}]})
    code, text = client(s, "pause", "chta")
    assert code == 1 and "no client `chta` is configured; configured are chat" in text, text
    code, text = client(s, "pause", "chat", "--for", "15")
    assert code == 1 and "with its unit" in text
    assert client(s, "pause")[0] == 2
    assert ask(s.weir.admin, "GET", "/clients/pause?client=chat").status == 405
    assert ask(s.weir.admin, "POST", "/clients").status == 405
    assert ask(s.weir.admin, "POST", "/clients/stop?client=chat").status == 400
    assert ask(s.weir.admin, "GET", "/clients").json()["paused"] == []
    assert client(s, "pause", "chat")[0] == 0
    reply = s.weir.converse(headers={"Authorization": "Bearer sesame"})
    assert reply.status == 429
