"""Quotas: waiting for them, refusing in Bedrock's shape, and SDKs that ask again."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError
from harness import EAST, SONNET, WEST, converse, headers_of, wait_until

ONE_TARGET = [{"model": SONNET, "targets": [{"region": EAST}]}]
REFUSED = ("throttled", "deadline")  # at once, or after a wait in vain
FORBIDDEN = ("too many tokens", "context", "input is too long")


def refusals(metrics, **labels):
    return sum(metrics.sum("weir_requests_total", outcome=outcome, **labels) for outcome in REFUSED)


def full(start, window="30s", **weir):
    """A stack whose quota of requests has just been used up for long."""
    limits = {"requests_per_minute": 10, "tokens_per_minute": 1_000_000}
    s = start(
        weir={
            "routes": ONE_TARGET,
            "quota_window": window,
            "quotas": [{"model": SONNET, **limits}],
            "queue": {"deadline": "2s"},
            **weir,
        },
        sim={"quota_window": window, "models": {"*": {**limits, "time_to_first_token": "10ms",
                                                      "tokens_per_second": 1000,
                                                      "output_tokens": {"mean": 10, "spread": 0.1}}}},
    )
    for _ in range(20):
        reply = s.weir.converse(headers={"x-weir-deadline-ms": "500"})
        if reply.status != 200:
            break
    assert reply.status == 429, reply.body
    return s


def test_a_refusal_has_bedrocks_shape(start):
    s = full(start)
    reply = s.weir.converse()
    assert reply.status == 429 and reply.error == "ThrottlingException"
    message = reply.json()["message"]
    assert SONNET in message and EAST in message
    assert not [text for text in FORBIDDEN if text in message.lower()]
    assert reply.headers["x-should-retry"] == "false"
    ms, seconds, true = (int(reply.headers[h]) for h in ("x-amz-retry-after", "retry-after", "x-weir-retry-after"))
    assert 0 < ms <= 31_000 and 1 <= seconds <= 60 and true == -(-ms // 1000)
    assert reply.headers["x-weir-attempts"] == "0" and reply.headers["x-amzn-requestid"]
    assert "x-weir-target" not in reply.headers
    line = s.weir.line(id=reply.headers["x-weir-request-id"])
    assert (line["status"], line["error"]) == (429, "ThrottlingException")
    assert line["outcome"] in REFUSED
    assert line["reason"]
    m = s.weir.metrics()
    assert m.sum("weir_refusals_total", reason=line["reason"], model=SONNET) >= 1
    assert m.sum("weir_quota_limit", region=EAST, model=SONNET, kind="requests") == 10
    assert 9 <= m.sum("weir_quota_used", region=EAST, model=SONNET, kind="requests") <= 10
    assert s.sim.truth(key="throttled_requests") == 0


@pytest.mark.parametrize("mode", [None, "legacy", "standard"])
def test_an_sdks_own_retries_cost_nothing_upstream(start, mode):
    s = full(start)
    arrived = s.sim.arrived()
    refused = refusals(s.weir.metrics())
    client = s.weir.boto(mode=mode)
    with pytest.raises(client.exceptions.ThrottlingException) as caught:
        converse(client)
    retries = caught.value.response["ResponseMetadata"]["RetryAttempts"]
    if mode == "legacy":
        assert retries == 4
    assert s.sim.arrived() == arrived
    m = s.weir.metrics()
    assert refusals(m) == refused + 1, "counted once"
    assert m.sum("weir_sdk_retries_total") == retries


def test_calls_wait_for_quota_instead_of_failing(start):
    limits = {"requests_per_minute": 20, "tokens_per_minute": 1_000_000}
    s = start(
        weir={"routes": ONE_TARGET, "quota_window": "2s", "quotas": [{"model": SONNET, **limits}]},
        sim={"quota_window": "2s", "models": {"*": {**limits, "time_to_first_token": "10ms",
                                                    "tokens_per_second": 1000}}},
    )
    client = s.weir.boto(attempts=1)
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: converse(client), range(50)))
    assert all(answer["stopReason"] for answer in answers)
    assert max(int(headers_of(a)["x-weir-queued-ms"]) for a in answers) > 500
    assert s.sim.truth(key="throttled_requests") <= 1
    assert s.weir.line(outcome="ok")["queued_ms"] >= 0


def test_tokens_are_reserved_and_settled(start):
    """max_tokens of 4,000 against 20,000 a window: five at once, and room again as each is settled."""
    limits = {"requests_per_minute": 1000, "tokens_per_minute": 20_000, "output_burndown": 5}
    s = start(
        weir={"routes": ONE_TARGET, "quota_window": "3s", "quotas": [{"model": SONNET, **limits}]},
        sim={"quota_window": "3s", "models": {"*": {**limits, "time_to_first_token": "50ms",
                                                    "tokens_per_second": 1000,
                                                    "output_tokens": {"mean": 30, "spread": 0.1}}}},
    )
    client = s.weir.boto(attempts=1)
    with ThreadPoolExecutor(30) as pool:
        answers = list(pool.map(lambda _: converse(client, max_tokens=4000), range(30)))
    assert len(answers) == 30
    assert s.sim.truth(key="throttled_tokens") <= 1
    assert s.weir.metrics().sum("weir_reserved_unused_tokens_total", model=SONNET) > 50_000


def test_a_learned_limit_holds(start):
    limits = {"requests_per_minute": 30, "tokens_per_minute": 1_000_000}
    s = start(
        weir={"routes": ONE_TARGET, "quota_window": "2s"},
        sim={"quota_window": "2s", "models": {"*": {**limits, "time_to_first_token": "10ms",
                                                    "tokens_per_second": 1000}}},
    )
    client = s.weir.boto(attempts=1)
    with ThreadPoolExecutor(60) as pool:
        answers = list(pool.map(lambda _: converse(client), range(90)))
    assert len(answers) == 90
    limit = [one for t in s.weir.status()["targets"] for one in t["limits"] if one["kind"] == "requests"]
    assert limit[0]["learned"] is True and limit[0]["limit"]


def test_what_can_never_fit_is_the_callers_error(start):
    s = start(weir={"routes": ONE_TARGET, "quotas": [{"model": SONNET, "tokens_per_minute": 1000}]})
    client = s.weir.boto()
    with pytest.raises(client.exceptions.ValidationException) as caught:
        converse(client, max_tokens=5000)
    message = caught.value.response["Error"]["Message"].lower()
    assert "1,000" in message and not [text for text in FORBIDDEN if text in message]
    assert s.sim.arrived() == 0


def test_the_days_quota_is_not_retried(start):
    s = start(weir={"routes": ONE_TARGET, "queue": {"deadline": "2s"}})
    s.sim.fault("daily_quota")
    client = s.weir.boto(mode="legacy")
    for _ in range(2):
        with pytest.raises(ClientError) as caught:
            converse(client)
        assert caught.value.response["Error"]["Code"] in ("ServiceQuotaExceededException", "ThrottlingException")
    assert caught.value.response["Error"]["Code"] == "ServiceQuotaExceededException"
    assert s.sim.arrived() <= 2


def test_a_full_region_spills_over(start):
    limits = {"requests_per_minute": 5, "tokens_per_minute": 1_000_000}
    route = {"model": SONNET, "targets": [{"region": EAST}, {"region": WEST}], "spill_after": "200ms"}
    s = start(weir={
        "routes": [route], "quota_window": "30s", "quotas": [{"model": SONNET, "region": EAST, **limits}],
    })
    targets = [headers_of(converse(s.weir.boto(attempts=1)))["x-weir-target"] for _ in range(12)]
    assert targets[0].startswith(EAST) and targets[-1].startswith(WEST)


def test_the_deadline_header_bounds_the_wait(start):
    import time

    s = full(start, queue={"deadline": "60s"})
    before = time.monotonic()
    assert s.weir.converse(headers={"x-weir-deadline-ms": "700"}).status == 429
    assert time.monotonic() - before < 2


def test_a_client_limit_is_the_clients_own(start):
    s = start(weir={"clients": [
        {"name": "etl", "key_sha256": [sha("k1")], "requests_per_minute": 3},
        {"name": "chat", "key_sha256": [sha("k2")]},
    ], "quota_window": "30s", "queue": {"deadline": "1s"}})
    replies = [s.weir.converse(headers={"x-api-key": "k1"}) for _ in range(5)]
    assert replies[0].status == 200 and replies[-1].status == 429
    assert s.weir.converse(headers={"x-api-key": "k2"}).status == 200
    assert refusals(s.weir.metrics(), client="etl") >= 1


def sha(key):
    import hashlib

    return hashlib.sha256(key.encode()).hexdigest()
