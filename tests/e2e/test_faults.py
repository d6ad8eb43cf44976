"""What goes wrong upstream: unseen before content, typed after it."""

import json

import pytest
from botocore.exceptions import ClientError, EventStreamError
from harness import EAST, HAIKU, SONNET, WEST, Load, converse, headers_of, stream, text_of, wait_until

BEFORE = ["unavailable", "too_many_connections", "internal", "overloaded_529", "overloaded", "not_ready",
          "first_event", "reset", "garbage"]


@pytest.mark.parametrize("kind", BEFORE)
def test_a_fault_before_content_is_not_seen(healthy, kind):
    healthy.sim.fault(kind, region=EAST)
    answer = converse(healthy.weir.boto(attempts=1))
    assert answer["stopReason"]
    assert headers_of(answer)["x-weir-target"] == f"{WEST}/{SONNET}"
    assert text_of(stream(healthy.weir.boto(attempts=1)))


def test_the_first_failure_shows_in_attempts_and_target(start):
    s = start()
    s.sim.fault("unavailable", region=EAST)
    headers = headers_of(converse(s.weir.boto(attempts=1)))
    assert headers["x-weir-attempts"] == "2"
    assert headers["x-weir-target"] == f"{WEST}/{SONNET}"
    line = s.weir.line(operation="Converse")
    assert (line["attempts"], line["target_region"], line["outcome"]) == (2, WEST, "ok")
    m = s.weir.metrics()
    assert m.sum("weir_attempts_total", region=EAST, result="unavailable") == 1
    assert m.sum("weir_attempts_total", region=WEST, result="ok") == 1
    assert m.sum("weir_fallbacks_total", from_region=EAST, to_region=WEST) == 1


def test_a_dead_region_is_left_alone(start):
    s = start(weir={"breaker": {"open_for": "20s", "max_open": "30s"}})
    s.sim.fault("unavailable", region=EAST)
    client = s.weir.boto(attempts=1)
    for _ in range(40):
        assert converse(client)["stopReason"]
    assert s.sim.truth(EAST, SONNET, "faulted") <= 6
    assert s.weir.metrics().sum("weir_breaker_state", region=EAST, model=SONNET) == 2
    breakers = {t["region"]: t["breaker"] for t in s.weir.status()["targets"] if t["model"] == SONNET}
    assert breakers[EAST] == "open"


@pytest.mark.parametrize("kind", ["mid_stream", "mid_stream_reset"])
def test_a_fault_after_content_ends_in_a_typed_event(healthy, kind):
    seen = []
    before = healthy.sim.truth(key="accepted")
    with pytest.raises(EventStreamError) as caught:
        body = healthy.weir.boto().converse_stream(
            modelId=SONNET,
            messages=[{"role": "user", "content": [{"text": f"[[fault={kind}]] [[output=60]]"}]}],
        )
        for event in body["stream"]:
            seen.append(event)
    assert text_of(seen), "content had come"
    assert not any("messageStop" in event for event in seen), "the model did not end it"
    assert caught.value.response["Error"]["Code"].endswith("Exception")
    assert healthy.sim.truth(key="accepted") - before == 1, "nothing is repeated after content"
    assert healthy.weir.line(operation="ConverseStream", outcome="broken_stream")["error"]


def test_a_broken_invoke_stream_ends_in_a_typed_event(healthy):
    body = {
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 100,
        "messages": [{"role": "user", "content": "[[fault=mid_stream_reset]] [[output=60]]"}],
    }
    chunks = 0
    with pytest.raises(EventStreamError):
        answer = healthy.weir.boto().invoke_model_with_response_stream(modelId=SONNET, body=json.dumps(body))
        for _ in answer["body"]:
            chunks += 1
    assert chunks > 0


def test_both_regions_down_then_recovered(start):
    s = start(weir={"queue": {"deadline": "2s"}})
    s.sim.fault("unavailable")
    client = s.weir.boto(attempts=1)
    with pytest.raises(ClientError) as caught:
        converse(client)
    assert caught.value.response["Error"]["Code"] == "ServiceUnavailableException"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
    s.sim.heal()

    def recovered():
        try:
            return converse(client)["stopReason"]
        except ClientError:
            return None

    wait_until(recovered, 10, "an answer after the recovery")
    for _ in range(20):
        assert converse(client)["stopReason"]


def test_a_call_waits_for_a_short_outage_to_pass(start):
    s = start(weir={"queue": {"deadline": "10s"}, "retry": {"base_delay": "500ms", "max_delay": "2s"}})
    s.sim.fault("unavailable", seconds=0.5)
    assert converse(s.weir.boto(attempts=1))["stopReason"]


def test_a_model_error_comes_back_as_itself(start):
    s = start()
    s.sim.fault("model_timeout")
    client = s.weir.boto(attempts=1)
    with pytest.raises(client.exceptions.ModelTimeoutException):
        converse(client)


def test_a_failing_share_is_hidden_under_load(start):
    s = start()
    s.sim.fault("unavailable", region=EAST, probability=0.1)
    client = s.weir.boto(attempts=1)
    with Load(lambda: converse(client), threads=8) as load:
        wait_until(lambda: load.done >= 200, 30, "200 answers")
    assert load.failures == []


def test_a_fallback_model_is_marked(start):
    route = {
        "model": SONNET,
        "targets": [{"region": EAST}, {"region": EAST, "model": HAIKU}],
        "degrade_after": "100ms",
    }
    s = start(weir={"routes": [route]})
    s.sim.fault("unavailable", model=SONNET)
    headers = headers_of(converse(s.weir.boto(attempts=1)))
    assert headers["x-weir-degraded"] == "true"
    assert headers["x-weir-target"] == f"{EAST}/{HAIKU}"
    assert s.sim.truth(EAST, HAIKU, "delivered") == 1
    assert s.weir.line(operation="Converse")["target_model"] == HAIKU


def test_a_region_that_cannot_be_reached(start):
    from harness import free_port

    s = start(weir={"regions": {EAST: {"endpoint": f"http://127.0.0.1:{free_port()}"}}})
    answer = converse(s.weir.boto(attempts=1))
    assert headers_of(answer)["x-weir-target"] == f"{WEST}/{SONNET}"
    assert s.weir.metrics().sum("weir_attempts_total", region=EAST, result="network") >= 1


def test_a_silent_region_is_given_up_for_a_stream(start):
    s = start(weir={"timeouts": {"first_event": "500ms"}})
    s.sim.fault("hang", region=EAST)
    assert text_of(stream(s.weir.boto(attempts=1)))
    assert s.weir.metrics().sum("weir_attempts_total", region=EAST, result="timeout") == 1
