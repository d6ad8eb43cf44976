"""Every operation, through the real boto3."""

import json
import time

import pytest
from botocore.exceptions import ClientError, EventStreamError  # noqa: F401
from harness import EAST, HAIKU, LLAMA, MISTRAL, NOVA, SONNET, TITAN, ask, converse, headers_of, say, stream, text_of

PROFILE = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123def456"
SYSTEM_PROFILE = f"arn:aws:bedrock:us-east-1:123456789012:inference-profile/{SONNET}"

BODIES = {
    SONNET: {
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 100,
        "messages": [{"role": "user", "content": "hi"}],
    },
    NOVA: {
        "messages": [{"role": "user", "content": [{"text": "hi"}]}],
        "inferenceConfig": {"maxTokens": 100},
    },
    TITAN: {"inputText": "hi", "textGenerationConfig": {"maxTokenCount": 100}},
    LLAMA: {"prompt": "hi", "max_gen_len": 100},
    MISTRAL: {"prompt": "<s>[INST] hi [/INST]", "max_tokens": 100},
}


def test_converse(plain):
    answer = converse(plain.weir.boto())
    assert answer["output"]["message"]["content"][0]["text"]
    assert answer["usage"]["outputTokens"] > 0
    headers = headers_of(answer)
    assert headers["x-weir-target"] == f"{EAST}/{SONNET}"
    assert headers["x-weir-attempts"] == "1"
    assert int(headers["x-weir-queued-ms"]) >= 0
    assert headers["x-weir-request-id"] and headers["x-amzn-requestid"]
    assert "x-weir-degraded" not in headers


def test_converse_stream(plain):
    events = stream(plain.weir.boto())
    assert list(events[0]) == ["messageStart"]
    assert text_of(events)
    assert list(events[-2]) == ["messageStop"]
    assert events[-1]["metadata"]["usage"]["outputTokens"] > 0


@pytest.mark.parametrize("model", BODIES, ids=lambda m: m.split(".")[-2])
def test_invoke_model(plain, model):
    answer = plain.weir.boto().invoke_model(modelId=model, body=json.dumps(BODIES[model]))
    assert json.loads(answer["body"].read())
    line = plain.weir.line(operation="InvokeModel", model=model)
    assert line["outcome"] == "ok" and line["output"] > 0 and line["max_tokens"] == 100


@pytest.mark.parametrize("model", [SONNET, NOVA], ids=lambda m: m.split(".")[-1])
def test_invoke_with_response_stream(plain, model):
    answer = plain.weir.boto().invoke_model_with_response_stream(
        modelId=model, body=json.dumps(BODIES[model])
    )
    chunks = [json.loads(event["chunk"]["bytes"]) for event in answer["body"]]
    assert len(chunks) > 3
    assert "amazon-bedrock-invocationMetrics" in json.dumps(chunks[-1])
    line = plain.weir.line(operation="InvokeModelWithResponseStream", model=model)
    assert line["outcome"] == "ok" and line["output"] > 0 and line["ttft_ms"] is not None


def test_count_tokens(plain):
    answer = plain.weir.boto().count_tokens(
        modelId=SONNET, input={"converse": {"messages": say("hello there")["messages"]}}
    )
    assert answer["inputTokens"] > 0


def test_apply_guardrail(plain):
    answer = plain.weir.boto().apply_guardrail(
        guardrailIdentifier="gr1", guardrailVersion="1", source="INPUT", content=[{"text": {"text": "x"}}]
    )
    assert answer["action"] == "NONE"


def test_async_invoke(plain):
    client = plain.weir.boto()
    arn = client.start_async_invoke(
        modelId="amazon.nova-reel-v1:0",
        modelInput={"taskType": "TEXT_VIDEO"},
        outputDataConfig={"s3OutputDataConfig": {"s3Uri": "s3://bucket/key"}},
    )["invocationArn"]
    assert client.get_async_invoke(invocationArn=arn)["status"] in ("InProgress", "Completed")
    listed = client.list_async_invokes()["asyncInvokeSummaries"]
    assert arn in [one["invocationArn"] for one in listed]


def test_what_is_not_limited_goes_on_though_the_quota_is_gone(start, protocol):
    s = start(weir={"quotas": [{"model": SONNET, "requests_per_minute": 1, "tokens_per_minute": 1000}],
                    "quota_window": "60s", "queue": {"deadline": "300ms"},
                    "routes": [{"model": SONNET, "targets": [{"region": EAST}]}]})
    assert s.weir.converse().status == 200
    assert s.weir.converse().status == 429
    count = s.weir.ask("POST", f"/model/{SONNET}/count-tokens", {"input": {"converse": {"messages": say("hi")["messages"]}}})
    assert count.status == 200 and count.json()["inputTokens"] > 0
    content = [{"text": {"text": "x"}}]
    guarded = s.weir.ask("POST", "/guardrail/gr1/version/1/apply", {"source": "INPUT", "content": content})
    assert guarded.status == 200 and guarded.json()["action"] == "NONE"
    begun = s.weir.ask("POST", "/async-invoke", {"modelId": "amazon.nova-reel-v1:0", "modelInput": {"taskType": "TEXT_VIDEO"},
                                                 "outputDataConfig": {"s3OutputDataConfig": {"s3Uri": "s3://bucket/key"}}})
    arn = begun.json()["invocationArn"]
    one = s.weir.ask("GET", f"/async-invoke/{arn.replace(':', '%3A').replace('/', '%2F')}")
    assert one.status == 200 and one.json()["invocationArn"] == arn
    listed = s.weir.ask("GET", "/async-invoke?maxResults=5&sortOrder=Descending")
    assert [summary["invocationArn"] for summary in listed.json()["asyncInvokeSummaries"]] == [arn]
    for operation in ("CountTokens", "ApplyGuardrail", "StartAsyncInvoke", "GetAsyncInvoke", "ListAsyncInvokes"):
        line = s.weir.line(operation=operation)
        assert (line["outcome"], line["target_region"], line["reserved"]) == ("ok", EAST, None)


def test_the_services_errors_on_them_come_as_they_are(plain, protocol):
    unknown = plain.weir.ask("GET", "/async-invoke/" + "arn:aws:bedrock:us-east-1:123456789012:async-invoke/zzzzzzzzzzzz".replace("/", "%2F"))
    assert unknown.status in (400, 404) and unknown.error in ("ResourceNotFoundException", "ValidationException")
    assert plain.weir.ask("POST", f"/model/{SONNET}/count-tokens", "{}").error == "ValidationException"


def test_speaking_both_ways_is_refused_with_its_reason(plain, protocol):
    arrived = plain.sim.arrived()
    reply = plain.weir.ask("POST", f"/model/{SONNET}/invoke-with-bidirectional-stream", "")
    assert (reply.status, reply.error) == (501, "NotImplementedException")
    assert "both ways" in reply.json()["message"] and plain.sim.arrived() == arrived


def test_control_plane_reads_are_passed_on(plain):
    # The simulator answers for both planes; weir serves them from one address, as Claude Code asks.
    reply = plain.weir.ask("GET", "/inference-profiles?maxResults=10")
    assert reply.status != 404, reply.body


def test_an_application_profile_counts_as_its_model(start):
    s = start(weir={"aliases": {PROFILE: SONNET}})
    answer = converse(s.weir.boto(), model=PROFILE)
    assert headers_of(answer)["x-weir-target"].startswith(EAST)
    assert s.weir.line(operation="Converse")["outcome"] == "ok"
    assert s.weir.metrics().sum("weir_requests_total", model=SONNET, outcome="ok") == 1
    assert "123456789012" not in json.dumps(s.weir.metrics().samples)


def test_a_system_profile_arn(plain):
    answer = converse(plain.weir.boto(), model=SYSTEM_PROFILE)
    assert answer["stopReason"]
    assert text_of(stream(plain.weir.boto(), model=SYSTEM_PROFILE))


def test_a_prompt_of_a_megabyte(plain):
    answer = converse(plain.weir.boto(), "word " * 210_000)
    assert answer["usage"]["inputTokens"] > 100_000


def test_text_of_every_kind_comes_back_as_it_went(plain):
    text = "[[echo]] déjà vu — 日本語, 한국어, עברית, 🦀👩‍👩‍👧, \" \\ / \u0000-free \u2028 \t\n end"
    answer = converse(plain.weir.boto(), text)
    assert answer["output"]["message"]["content"][0]["text"] == text
    assert text_of(stream(plain.weir.boto(), text)) == text


@pytest.mark.parametrize("mode", [None, "legacy", "standard", "adaptive"])
def test_every_retry_mode(plain, mode):
    client = plain.weir.boto(mode=mode)
    assert converse(client)["stopReason"]
    assert text_of(stream(client))


def test_a_validation_error_is_boto3s_own(plain):
    client = plain.weir.boto()
    with pytest.raises(client.exceptions.ValidationException) as caught:
        client.invoke_model(modelId=SONNET, body="{not json")
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_a_wrong_body_is_the_services_to_judge(plain):
    client = plain.weir.boto()
    with pytest.raises(client.exceptions.ValidationException):
        client.invoke_model(modelId=SONNET, body=json.dumps({"max_tokens": "many", "messages": 3}))


def test_access_denied(start):
    s = start(sim={"faults": [{"from": 0, "to": 3600, "kind": "access_denied"}]})
    client = s.weir.boto()
    with pytest.raises(client.exceptions.AccessDeniedException):
        converse(client)
    assert s.weir.converse().error == "AccessDeniedException"
    assert s.weir.line(error="AccessDeniedException")["outcome"] == "client_error"


def test_an_unknown_model(start):
    s = start(sim={"models": {SONNET: {"requests_per_minute": 1000}}})
    client = s.weir.boto()
    with pytest.raises(ClientError) as caught:
        converse(client, model=HAIKU)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] in (400, 404)
    assert s.weir.metrics().sum("weir_requests_total", model=HAIKU) == 0
    assert s.weir.metrics().sum("weir_requests_total", model="other", outcome="client_error") == 1


def test_an_unknown_invocation(plain):
    client = plain.weir.boto()
    with pytest.raises(ClientError) as caught:
        client.get_async_invoke(
            invocationArn="arn:aws:bedrock:us-east-1:123456789012:async-invoke/zzzzzzzzzzzz"
        )
    assert caught.value.response["Error"]["Code"] in ("ResourceNotFoundException", "ValidationException")


def test_the_region_of_the_signature_is_home(plain):
    assert headers_of(converse(plain.weir.boto("us-west-2"), model=HAIKU))["x-weir-target"] == f"us-west-2/{HAIKU}"


def test_an_undeclared_region_is_named(plain):
    client = plain.weir.boto("eu-west-1", attempts=1)
    with pytest.raises(client.exceptions.ValidationException, match="us-east-1.*us-west-2"):
        converse(client)


def test_a_wrong_secret_reaches_the_client_as_a_typed_error(start):
    s = start(weir={"credentials": {"secret_access_key": "wrong"}})
    before = time.monotonic()
    with pytest.raises(ClientError) as caught:
        converse(s.weir.boto(attempts=1))
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    assert time.monotonic() - before < 8


def test_no_file_at_all_takes_the_callers_region(plain, start):
    """`weir serve` without a file knows no endpoint but Amazon's, so only its own answers are asked for here."""
    from harness import Process, ask, free_port, wait_until
    import tempfile

    port, admin = free_port(), free_port()
    env = {"WEIR_LISTEN": f"127.0.0.1:{port}", "WEIR_ADMIN": f"127.0.0.1:{admin}"}
    with tempfile.TemporaryDirectory() as folder, Process(folder, "bare", ["serve"], env) as bare:

        def ready():
            bare.check_alive()
            try:
                return ask(admin, "GET", "/readyz").status == 200
            except OSError:
                return False

        wait_until(ready)
        reply = ask(port, "POST", f"/model/{SONNET}/converse", say("hi"))
        assert reply.status == 400 and b"Region" in reply.body


def test_a_sampled_access_log_keeps_what_went_wrong(start):
    s = start(weir={"log": {"sample": 0}})
    for _ in range(5):
        assert s.weir.converse().status == 200
    refused = s.weir.ask("POST", f"/model/{SONNET}/converse", "no json", {"Content-Type": "application/json"})
    assert refused.status == 400
    line = s.weir.line(id=refused.headers["x-weir-request-id"])
    assert line["outcome"] == "client_error"
    assert s.weir.lines() == [line], "those that went well have none"
    assert s.weir.metrics().sum("weir_requests_total", outcome="ok") == 5, "metrics count all"

    s.weir.write({"log": {"sample": 1}})
    assert ask(s.weir.admin, "POST", "/reload").status == 200
    answer = s.weir.converse()
    s.weir.line(id=answer.headers["x-weir-request-id"])
