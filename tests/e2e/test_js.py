"""The AWS SDK for JavaScript: over HTTP/2, as it comes for Bedrock, and over its HTTP/1.1 handler; and Anthropic's."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from harness import EAST, SONNET, wait_until

SCRIPTS = Path(os.environ.get("WEIR_E2E_JS", "."))


def node(script, **asked):
    clean = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    done = subprocess.run(["node", str(SCRIPTS / script), json.dumps(asked)], capture_output=True, text=True, timeout=60,
                          env=clean)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(params=["http2", "http1"])
def js(request):
    def call(weir, operation, text="hi", **more):
        return node("client.mjs", url=weir.url, operation=operation, model=SONNET, text=text,
                    http1=request.param == "http1", **more)

    return call


def test_converse(plain, js):
    text = "[[echo]] déjà vu 日本語 🦀"
    answer = js(plain.weir, "converse", text)
    assert answer["text"] == text and answer["usage"]["outputTokens"] > 0


def test_converse_stream(plain, js):
    answer = js(plain.weir, "converseStream")
    assert answer["events"][0] == "messageStart" and answer["events"][-1] == "metadata"
    assert answer["text"] and "broken" not in answer


def test_invoke(plain, js):
    assert js(plain.weir, "invoke")["content"][0]["text"]


def test_invoke_stream(plain, js):
    assert js(plain.weir, "invokeStream")["chunks"] > 3


def test_many_streams_at_once(plain, js):
    answers = js(plain.weir, "converseStream", "[[output=50]] [[rate=100]]", count=40)
    assert len(answers) == 40
    assert all(a["events"][-1] == "metadata" and a["usage"]["outputTokens"] == 50 for a in answers)


def test_faults_before_content_are_not_seen(healthy, js):
    healthy.sim.fault("unavailable", region=EAST)
    assert js(healthy.weir, "converse", attempts=1)["stop"]
    assert js(healthy.weir, "converseStream", attempts=1)["text"]


def test_a_broken_stream_is_an_error(healthy, js):
    for kind in ("mid_stream", "mid_stream_reset"):
        answer = js(healthy.weir, "converseStream", f"[[fault={kind}]] [[output=60]]")
        assert answer["text"] and answer["broken"], answer
        assert "messageStop" not in answer["events"]


def test_speaking_both_ways_is_refused(plain):
    """Over HTTP/2 alone, as the SDK does it; the service's own name for it is the best it could know."""
    arrived = plain.sim.arrived()
    answer = node("client.mjs", url=plain.weir.url, operation="bothWays", model=SONNET, text="", attempts=1)
    assert (answer["error"], answer["status"]) == ("NotImplementedException", 501)
    assert plain.sim.arrived() == arrived


def test_errors_have_their_names(start, js):
    s = start(sim={"faults": [{"from": 0, "to": 3600, "kind": "access_denied"}]})
    assert js(s.weir, "converse")["error"] == "AccessDeniedException"


def test_a_refusal_costs_nothing_upstream(start, js):
    limits = {"requests_per_minute": 3, "tokens_per_minute": 1_000_000}
    s = start(weir={"quotas": [{"model": SONNET, **limits}], "quota_window": "60s", "queue": {"deadline": "1s"},
                    "routes": [{"model": SONNET, "targets": [{"region": EAST}]}]})
    while s.weir.converse(headers={"x-weir-deadline-ms": "300"}).status == 200:
        pass
    arrived = s.sim.arrived()
    answer = js(s.weir, "converse", attempts=2)
    assert (answer["error"], answer["status"]) == ("ThrottlingException", 429)
    assert s.sim.arrived() == arrived


def test_one_that_breaks_off_costs_no_more(plain, js):
    before = plain.sim.truth(key="cancelled")
    answer = js(plain.weir, "converseStream", "[[output=2000]] [[rate=100]]", leave=5)
    assert answer["text"]
    wait_until(lambda: plain.sim.truth(key="cancelled") == before + 1, what="the upstream's end")


def anthropic(weir, text="hi", **more):
    return node("anthropic.mjs", url=weir.url, operation="messages", model=SONNET, text=text, **more)


def test_anthropics_sdk(plain):
    text = "[[echo]] déjà vu 日本語 🦀"
    answer = anthropic(plain.weir, text)
    assert answer["text"] == text and answer["usage"]["output_tokens"] > 0
    streamed = anthropic(plain.weir, stream=True)
    assert streamed["text"] and streamed["usage"]["output_tokens"] > 0
    assert (streamed["events"][0], streamed["events"][-1]) == ("message_start", "message_stop")


def test_anthropics_sdk_throttled_and_refused(start):
    limits = {"requests_per_minute": 1, "tokens_per_minute": 1_000_000}
    one = {"routes": [{"model": SONNET, "targets": [{"region": EAST}]}], "quotas": [{"model": SONNET, **limits}]}
    s = start(weir={**one, "quota_window": "2s"}, sim={"quota_window": "2s"})
    assert all(anthropic(s.weir)["text"] for _ in range(2))
    s = start(weir={**one, "quota_window": "30s", "queue": {"deadline": "1s"}})
    anthropic(s.weir)
    refused = anthropic(s.weir)
    assert (refused["error"], refused["status"], refused["type"]) == ("RateLimitError", 429, "rate_limit_error")
    broken = anthropic(start().weir, "[[fault=mid_stream]] [[output=60]] [[rate=100]]", stream=True)
    assert broken["error"] == "APIError" and "status" not in broken
