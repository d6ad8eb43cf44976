"""What weir tells of itself: admin port, metrics, access log."""

import hashlib
import re
import signal
import socket
import time

import pytest
from harness import EAST, SONNET, ask, converse, headers_of, stream

FIELDS = [
    "ts", "id", "upstream_request_id", "sdk_invocation_id", "sdk_attempt", "client", "operation", "model", "tag",
    "target_account", "target_region", "target_model", "endpoint", "tier", "status", "error", "reason", "attempts", "queued_ms", "ttft_ms", "total_ms",
    "estimated_input", "reserved", "input", "output", "cache_read", "cache_write", "max_tokens", "cost_usd", "stream", "outcome",
]
LABELS = {
    "weir_requests_total": {"model", "operation", "client", "outcome"},
    "weir_attempts_total": {"account", "region", "model", "result"},
    "weir_request_seconds_bucket": {"model", "le"},
    "weir_queue_seconds_bucket": {"model", "le"},
    "weir_overhead_seconds_bucket": {"model", "le"},
    "weir_first_token_seconds_bucket": {"model", "le"},
    "weir_tokens_total": {"account", "region", "model", "client", "kind"},
    "weir_cost_usd_total": {"account", "region", "model", "client"},
    "weir_quota_limit": {"account", "region", "model", "kind"},
    "weir_quota_used": {"account", "region", "model", "kind"},
    "weir_quota_share": set(),
    "weir_reserved_unused_tokens_total": {"model", "client"},
    "weir_estimate_ratio_bucket": {"model", "le"},
    "weir_breaker_state": {"account", "region", "model"},
    "weir_pool_limit": {"side", "region"},
    "weir_config_reloads_total": {"result"},
    "weir_build_info": {"version"},
}


def test_health(plain):
    for port in (plain.weir.port, plain.weir.admin):
        assert ask(port, "GET", "/healthz").status == 200
        assert ask(port, "GET", "/readyz").status == 200


def test_metrics_have_their_names_and_labels(start):
    s = start(weir={"quotas": [{"model": SONNET, "requests_per_minute": 1000, "tokens_per_minute": 10_000_000}]})
    client = s.weir.boto()
    for _ in range(3):
        converse(client)
    stream(client)
    m = s.weir.metrics()
    for name, labels in LABELS.items():
        assert m.labels(name), name
        assert all(set(found) == labels for found in m.labels(name)), (name, m.labels(name)[:2])
    assert m.sum("weir_requests_total", model=SONNET, operation="Converse", outcome="ok") == 3
    assert m.sum("weir_requests_total", model=SONNET, operation="ConverseStream", outcome="ok") == 1
    assert m.sum("weir_attempts_total", account="default", region=EAST, model=SONNET, result="ok") == 4
    assert m.sum("weir_first_token_seconds_count", model=SONNET) == 1
    assert m.sum("weir_request_seconds_count", model=SONNET) == 4
    assert 0 < m.sum("weir_overhead_seconds_sum", model=SONNET) < 1
    truth = s.sim
    assert m.sum("weir_tokens_total", kind="output") == truth.truth(key="output_tokens")
    assert m.sum("weir_tokens_total", kind="input") == truth.truth(key="input_tokens")
    assert m.sum("weir_tokens_total", kind="quota") == m.sum("weir_tokens_total", kind="input") + 5 * m.sum(
        "weir_tokens_total", kind="output"
    )
    assert m.sum("weir_quota_limit", region=EAST, model=SONNET, kind="requests") == 1000
    for name in ("process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds"):
        assert m.sum(name) > 0
    assert m.types["weir_requests_total"] == "counter"
    assert m.types["weir_request_seconds"] == "histogram"
    assert {"side": "client", "state": "active"} in m.labels("weir_connections")


def test_status_shows_targets_and_limits(start):
    s = start(weir={"quotas": [{"model": SONNET, "requests_per_minute": 1000, "tokens_per_minute": 10_000_000}]})
    converse(s.weir.boto())
    status = s.weir.status()
    assert status["version"]
    target = next(t for t in status["targets"] if (t["region"], t["model"]) == (EAST, SONNET))
    assert target["breaker"] == "closed" and target["in_flight"] == 0
    limits = {one["kind"]: one for one in target["limits"]}
    assert limits["requests"]["limit"] == 1000 and limits["requests"]["used"] == 1
    assert 0 < limits["tokens"]["used"] < 10_000


def test_unknown_admin_paths(plain):
    assert ask(plain.weir.admin, "GET", "/nothing").status == 404
    assert ask(plain.weir.admin, "POST", "/metrics").status == 405
    assert ask(plain.weir.admin, "GET", "/reload").status == 405


def test_an_admin_key(start):
    s = start(weir={"admin_key_sha256": hashlib.sha256(b"open sesame").hexdigest(), "admin_open": ["metrics"]})
    assert ask(s.weir.admin, "GET", "/metrics").status == 200
    assert ask(s.weir.admin, "GET", "/status").status == 401
    key = {"Authorization": "Bearer open sesame"}
    assert ask(s.weir.admin, "GET", "/status", headers=key).status == 200


def test_the_access_log_has_every_field(plain):
    answer = converse(plain.weir.boto(user_agent_appid="reader"), "a secret prompt", max_tokens=77)
    line = plain.weir.line(client="reader")
    assert list(line) == FIELDS
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["ts"])
    assert line["id"] == headers_of(answer)["x-weir-request-id"]
    assert line["upstream_request_id"] == headers_of(answer)["x-amzn-requestid"]
    assert line["sdk_invocation_id"] and line["sdk_attempt"] == 1
    assert (line["operation"], line["model"], line["target_region"]) == ("Converse", SONNET, EAST)
    assert (line["status"], line["outcome"], line["error"], line["stream"]) == (200, "ok", None, False)
    assert line["max_tokens"] == 77 and line["ttft_ms"] is None
    assert line["input"] == answer["usage"]["inputTokens"] and line["output"] == answer["usage"]["outputTokens"]
    assert line["estimated_input"] > 0 and line["reserved"] >= 77
    assert 0 <= line["queued_ms"] <= line["total_ms"]


def test_the_access_log_tells_no_secrets(plain):
    converse(plain.weir.boto(), "my password is swordfish")
    plain.weir.line(operation="Converse")
    assert "swordfish" not in plain.weir.out.read_text() + plain.weir.log()


def test_a_streams_line(plain):
    stream(plain.weir.boto(user_agent_appid="streamer"))
    line = plain.weir.line(client="streamer")
    assert line["stream"] is True and line["ttft_ms"] >= 0 and line["output"] > 0


@pytest.mark.parametrize("reads", ["at once", "at its leisure"])
def test_another_key_ends_what_the_old_one_opened(start, reads):
    def keyed(key):
        return {"admin_key_sha256": hashlib.sha256(key.encode()).hexdigest()}

    s = start(weir=keyed("old"))
    with socket.create_connection(("127.0.0.1", s.weir.admin), timeout=20) as page:
        page.sendall(f"GET /events HTTP/1.1\r\nHost: 127.0.0.1:{s.weir.admin}\r\nAuthorization: Bearer old\r\n\r\n".encode())
        assert page.recv(15) == b"HTTP/1.1 200 OK"
        if reads == "at its leisure":  # frames pile up on the way, and weir waits within a write
            s.weir.converse(max_tokens=5)
            time.sleep(3)
        s.weir.write(keyed("new"))
        s.weir.signal(signal.SIGHUP)
        got = b""
        while not got.endswith(b"0\r\n\r\n"):
            block = page.recv(1 << 16)
            assert block, "cut off"
            got += block
    assert ask(s.weir.admin, "GET", "/events", headers={"Authorization": "Bearer old"}).status == 401
