"""bedrock-mantle beside bedrock-runtime, service tiers, and what stands for one Region's own things in another."""

import json

import anthropic
import openai
import pytest
from botocore.exceptions import ClientError
from harness import EAST, ROOMY, SONNET, WEST, converse, headers_of, say, stream, wait_until

PLAIN = SONNET.removeprefix("us.")
MANTLE = EAST + "/mantle"
HI = [{"role": "user", "content": "hi"}]
GUARD_EAST = "gr-east"
GUARD_WEST = "arn:aws:bedrock:us-west-2:123456789012:guardrail/gr-west"
PROFILE_EAST = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/east12345678"
PROFILE_WEST = "arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/west12345678"

ON_MANTLE = {"region": EAST, "endpoint": "mantle"}
ON_RUNTIME = {"region": EAST}


def to(*targets, **more):
    return {"routes": [{"model": SONNET, "targets": list(targets), "spill_after": "0s"}], **more}


def model(**more):
    return {"models": {"*": {**ROOMY, **more}}}


def openai_client(s, prefix="/openai/v1"):
    return openai.OpenAI(base_url=s.weir.url + prefix, api_key="dummy", max_retries=0)


def chat(s, text="hi", prefix="/openai/v1", **more):
    messages = [{"role": "user", "content": text}]
    more.setdefault("max_tokens", 30)
    return openai_client(s, prefix).chat.completions.create(model=SONNET, messages=messages, **more)


# ---- mantle

@pytest.mark.parametrize("prefix", ["/openai/v1", "/v1"])
def test_mantle_speaks_its_own_paths_and_names(start, prefix):
    """The simulator's mantle port takes plain model ids under /v1, signed for bedrock-mantle, and nothing else."""
    s = start(weir=to(ON_MANTLE))
    assert chat(s, prefix=prefix).model == PLAIN
    chunks = list(chat(s, prefix=prefix, stream=True))
    assert chunks[-1].choices[0].finish_reason
    assert openai_client(s, prefix).responses.create(model=SONNET, input="hi", max_output_tokens=30).output_text
    message = anthropic.Anthropic(base_url=s.weir.url + "/anthropic", api_key="dummy").messages.create(
        model=SONNET, max_tokens=30, messages=HI
    )
    assert message.model == PLAIN
    assert s.sim.truth(MANTLE, PLAIN, "delivered") == 4 and s.sim.truth(EAST, key="accepted") == 0
    line = s.weir.line(operation="Messages")
    assert (line["endpoint"], line["target_region"], line["target_model"]) == ("mantle", EAST, PLAIN)


def test_a_path_of_the_targets_own(start):
    s = start(weir=to({**ON_MANTLE, "path": "/openai/v1"}), sim=model(mantle={"path": "/openai/v1"}))
    assert chat(s, prefix="/v1").model == PLAIN
    wrong = start(weir=to(ON_MANTLE), sim=model(mantle={"path": "/openai/v1"}))
    with pytest.raises(openai.BadRequestError, match="isn't supported on this route"):
        chat(wrong)


def test_a_full_input_quota_is_waited_for(start):
    limits = {"input_tokens_per_minute": 10_000, "output_tokens_per_minute": 1_000_000}
    s = start(
        weir=to(ON_MANTLE, quotas=[{"model": PLAIN, "endpoint": "mantle", **limits}], quota_window="2s"),
        sim={"quota_window": "2s", **model(mantle=limits)},
    )
    for _ in range(3):
        assert chat(s, "word " * 4800).choices
    wait_until(lambda: sum(line["queued_ms"] > 200 for line in s.weir.lines()) >= 2, what="two calls that waited")
    assert all(line["outcome"] == "ok" for line in s.weir.lines())
    metrics = s.weir.metrics()
    assert metrics.sum("weir_quota_limit", endpoint="mantle", kind="input_tokens") == 10_000
    assert metrics.sum("weir_quota_limit", kind="requests") == 0
    [target] = s.weir.status()["targets"]
    assert (target["endpoint"], target["tier"]) == ("mantle", None)
    assert [limit["kind"] for limit in target["limits"]] == ["input_tokens", "output_tokens"]


def test_a_full_output_quota_is_waited_for_lest_answers_are_cut(start):
    limits = {"input_tokens_per_minute": 1_000_000, "output_tokens_per_minute": 100}
    quota = {"model": PLAIN, "endpoint": "mantle", **limits}
    sim = {"quota_window": "2s", **model(mantle=limits)}
    told = start(weir=to(ON_MANTLE, quotas=[quota], quota_window="2s"), sim=sim)
    untold = start(weir=to(ON_MANTLE, quota_window="2s"), sim=sim)
    reasons = {}
    for s in (told, untold):
        reasons[s] = [chat(s, "[[output=80]]", max_tokens=80).choices[0].finish_reason for _ in range(2)]
    assert reasons[told] == ["stop", "stop"] and told.sim.truth(MANTLE, key="cut_short") == 0
    assert reasons[untold] == ["stop", "length"] and untold.sim.truth(MANTLE, key="cut_short") == 1


def test_each_endpoint_stands_in_for_the_other(start):
    for first, second, down in ((ON_RUNTIME, ON_MANTLE, EAST), (ON_MANTLE, ON_RUNTIME, MANTLE)):
        s = start(weir=to(first, second))
        s.sim.fault("unavailable", region=down)
        for prefix in ("/openai/v1", "/v1"):
            assert chat(s, prefix=prefix).choices
            assert list(chat(s, prefix=prefix, stream=True))
        other = MANTLE if down == EAST else EAST
        assert s.sim.truth(other, key="delivered") == 4
        line = s.weir.line(operation="ChatCompletions", stream=True)
        assert (line["endpoint"], line["outcome"]) == ("mantle" if other == MANTLE else "runtime", "ok")


def test_a_full_runtime_spills_to_mantle(start):
    """Their quotas are apart: one limiter over both serves what neither could alone."""
    quotas = [{"model": SONNET, "requests_per_minute": 2}]
    s = start(
        weir=to(ON_RUNTIME, ON_MANTLE, quotas=quotas, quota_window="30s"),
        sim={"quota_window": "30s", **model(requests_per_minute=2)},
    )
    for _ in range(5):
        assert chat(s).choices
    assert s.sim.truth(EAST, key="delivered") == 2 and s.sim.truth(MANTLE, key="delivered") == 3
    assert s.sim.truth(key="throttled_requests") == 0


def test_bedrocks_own_operations_never_go_to_mantle(start):
    s = start(weir=to(ON_MANTLE, ON_RUNTIME))
    assert converse(s.weir.boto())["stopReason"]
    assert stream(s.weir.boto())
    assert s.sim.truth(MANTLE, key="accepted") == 0 and s.sim.truth(EAST, key="accepted") == 2
    assert s.weir.metrics().sum("weir_target_skipped_total", reason="endpoint") == 2
    alone = start(weir=to(ON_MANTLE))
    reply = alone.weir.converse()
    assert (reply.status, reply.error) == (400, "ValidationException") and "endpoint" in reply.json()["message"]


def test_a_guardrail_is_never_dropped(start):
    s = start(weir=to(ON_RUNTIME, ON_MANTLE, queue={"deadline": "1s"}))
    guard = {"X-Amzn-Bedrock-GuardrailIdentifier": GUARD_EAST, "X-Amzn-Bedrock-GuardrailVersion": "1"}
    assert chat(s, extra_headers=guard).choices
    s.sim.fault("unavailable", region=EAST)
    with pytest.raises(openai.InternalServerError):
        chat(s, extra_headers=guard)
    assert s.sim.truth(MANTLE, key="accepted") == 0
    assert chat(s).choices and s.sim.truth(MANTLE, key="accepted") == 1


def test_a_stored_response_stays_at_its_endpoint(start):
    s = start(weir=to(ON_RUNTIME, ON_MANTLE))
    s.sim.fault("unavailable", region=EAST)
    client = openai_client(s)
    made = client.responses.create(model=SONNET, input="hi", max_output_tokens=30)
    s.sim.heal()
    assert client.responses.retrieve(made.id).output_text == made.output_text
    again = client.responses.create(model=SONNET, input="x", max_output_tokens=30, previous_response_id=made.id)
    assert again.model == PLAIN
    client.responses.delete(made.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(made.id)
    other = client.responses.create(model=SONNET, input="y", max_output_tokens=30)
    assert other.model == SONNET and client.responses.retrieve(other.id).id == other.id


# ---- tiers

def tiers(s, region=EAST):
    total = {}
    for counts in s.sim.truth()[region].values():
        for tier, calls in counts["tiers"].items():
            total[tier] = total.get(tier, 0) + calls
    return total


def test_a_targets_tier_is_asked_for_in_every_language(start):
    s = start(weir=to({**ON_RUNTIME, "tier": "flex"}))
    boto = s.weir.boto()
    assert converse(boto)["serviceTier"] == {"type": "flex"}
    assert converse(boto, serviceTier={"type": "priority"})["serviceTier"] == {"type": "flex"}
    assert stream(boto)[-1]["metadata"]["serviceTier"] == {"type": "flex"}
    body = json.dumps({"anthropic_version": "bedrock-2023-05-31", "max_tokens": 30, "messages": HI})
    answer = boto.invoke_model(modelId=SONNET, body=body, serviceTier="priority")
    assert headers_of(answer)["x-amzn-bedrock-service-tier"] == "flex"
    assert chat(s).service_tier == "flex"
    assert chat(s, service_tier="priority").service_tier == "flex"
    assert tiers(s) == {"flex": 6}
    assert s.weir.line(operation="InvokeModel")["tier"] == "flex"


def test_without_one_the_callers_own_is_kept(start):
    s = start()
    assert converse(s.weir.boto(), serviceTier={"type": "priority"})["serviceTier"] == {"type": "priority"}
    assert "serviceTier" not in converse(s.weir.boto())
    assert chat(s, service_tier="flex").service_tier == "flex"
    assert tiers(s) == {"priority": 1, "flex": 1}


def test_a_cheaper_tier_stands_in_on_the_same_quota(start):
    """Both draw on one pool, so the second is for when the first is out of capacity."""
    s = start(weir=to({**ON_RUNTIME, "tier": "priority"}, {**ON_RUNTIME, "tier": "default"},
                      quotas=[{"model": SONNET, "requests_per_minute": 3}], quota_window="30s"),
              sim={"quota_window": "30s", **model(requests_per_minute=3)})
    for _ in range(3):
        assert converse(s.weir.boto())["serviceTier"]
    assert s.weir.converse(headers={"x-weir-deadline-ms": "300"}).status == 429
    assert s.sim.truth(key="throttled_requests") == 0
    assert s.weir.metrics().sum("weir_quota_limit", kind="requests") == 3, "one pool shows once"


def test_what_is_reserved_is_used_up_and_not_beyond(start):
    limits = {"input_tokens_per_minute": 100_000, "output_tokens_per_minute": 250}
    s = start(
        weir=to({**ON_RUNTIME, "tier": "reserved"}, ON_RUNTIME, quota_window="30s",
                quotas=[{"model": SONNET, "tier": "reserved", **limits}]),
        sim={"quota_window": "30s", **model(reserved=limits)},
    )
    for _ in range(5):
        converse(s.weir.boto(), "[[output=100]]", max_tokens=100)
    assert tiers(s) == {"reserved": 2}
    assert s.sim.truth(EAST, key="delivered") == 5 and s.sim.truth(EAST, key="overflowed") == 0


# ---- what stands for a Region's own things in another

def guardrails(s, region):
    return {g: n for counts in s.sim.truth()[region].values() for g, n in counts["guardrails"].items()}


def test_a_mapped_guardrail_arrives_under_its_name_there(start):
    s = start(weir=to(ON_RUNTIME, {"region": WEST, "guardrails": {GUARD_EAST: GUARD_WEST}}))
    guard = {"guardrailIdentifier": GUARD_EAST, "guardrailVersion": "1"}
    boto = s.weir.boto()
    converse(boto, guardrailConfig=guard)
    assert guardrails(s, EAST) == {GUARD_EAST: 1}
    s.sim.fault("unavailable", region=EAST)
    converse(boto, guardrailConfig=guard)
    body = json.dumps({"anthropic_version": "bedrock-2023-05-31", "max_tokens": 30, "messages": HI})
    boto.invoke_model(modelId=SONNET, body=body, guardrailIdentifier=GUARD_EAST, guardrailVersion="1")
    chat(s, extra_headers={"X-Amzn-Bedrock-GuardrailIdentifier": GUARD_EAST})
    assert guardrails(s, WEST) == {GUARD_WEST: 3}


def test_an_unmapped_guardrail_stays(start):
    s = start(weir=to(ON_RUNTIME, {"region": WEST, "guardrails": {GUARD_EAST: GUARD_WEST}}, queue={"deadline": "1s"}))
    s.sim.fault("unavailable", region=EAST)
    with pytest.raises(ClientError):
        converse(s.weir.boto(attempts=1), guardrailConfig={"guardrailIdentifier": "gr-other", "guardrailVersion": "1"})
    assert s.sim.truth(WEST, key="accepted") == 0
    assert s.weir.metrics().sum("weir_target_skipped_total", region=WEST, reason="guardrail") == 1


def test_a_mapped_profile_is_asked_for_there(start):
    s = start(weir=to(ON_RUNTIME, {"region": WEST, "profiles": {PROFILE_EAST: PROFILE_WEST}},
                      aliases={PROFILE_EAST: SONNET, PROFILE_WEST: SONNET}))
    s.sim.fault("unavailable", region=EAST)
    converse(s.weir.boto(), model=PROFILE_EAST)
    assert openai_client(s).chat.completions.create(model=PROFILE_EAST, messages=HI, max_tokens=30).choices
    assert s.sim.truth(WEST, "west12345678", "delivered") == 2
    reply = s.weir.ask("POST", f"/model/{PROFILE_WEST.replace('/', '%2F')}/converse", say("hi"),
                       {"x-weir-deadline-ms": "500"})
    assert reply.status == 503, "one that is mapped nowhere stays where it was asked for"
