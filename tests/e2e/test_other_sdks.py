"""OpenAI's and Anthropic's own SDKs, and what is built on boto3: plain, streamed, throttled, refused."""

import json

import anthropic
import openai
import pytest
from harness import EAST, HAIKU, SONNET, WEST, ask, wait_until

HI = [{"role": "user", "content": "hi"}]


def named(more, name):
    """The access log tells a test's calls by the name they give themselves."""
    return {**more, "default_headers": {"x-weir-client": name}} if name else more


def openai_client(weir, prefix="/openai/v1", name=None, **more):
    return openai.OpenAI(base_url=weir.url + prefix, api_key="dummy", **named(more, name))


def anthropic_client(weir, name=None, **more):
    return anthropic.Anthropic(base_url=weir.url + "/anthropic", api_key="dummy", **named(more, name))


def one_region(**more):
    """One target with a limit that the third call meets."""
    return {
        "quotas": [{"model": SONNET, "requests_per_minute": 2, "tokens_per_minute": 1_000_000}],
        "routes": [{"model": SONNET, "targets": [{"region": EAST}]}],
        **more,
    }


def one_line_with_429(weir):
    weir.converse(headers={"x-weir-client": "the-last-line", "x-weir-deadline-ms": "50"})
    weir.line(client="the-last-line")
    return len([l for l in weir.lines() if l["status"] == 429 and l["client"] is None]) == 1


# ---- openai

@pytest.mark.parametrize("prefix", ["/openai/v1", "/v1"])
def test_openai_chat(plain, prefix):
    client = openai_client(plain.weir, prefix, name="chat")
    answer = client.chat.completions.create(model=SONNET, max_completion_tokens=60, messages=HI)
    assert answer.choices[0].message.content
    line = plain.weir.line(client="chat", stream=False, output=answer.usage.completion_tokens)
    assert (line["model"], line["max_tokens"], line["outcome"]) == (SONNET, 60, "ok")


def test_openai_chat_stream(plain):
    client = openai_client(plain.weir, name="chat-stream")
    text, chunks = "", 0
    for chunk in client.chat.completions.create(model=SONNET, messages=HI, max_tokens=60, stream=True):
        assert chunk.choices, "the client did not ask for a chunk without choices"
        text += chunk.choices[0].delta.content or ""
        chunks += 1
    assert text and chunks >= 3
    line = plain.weir.line(client="chat-stream")
    assert line["output"] > 0 and line["ttft_ms"] is not None


def test_openai_chat_stream_with_its_usage(plain):
    client = openai_client(plain.weir)
    chunks = list(
        client.chat.completions.create(
            model=SONNET, messages=HI, max_tokens=60, stream=True, stream_options={"include_usage": True}
        )
    )
    assert chunks[-1].choices == [] and chunks[-1].usage.completion_tokens > 0


def test_openai_responses(plain):
    client = openai_client(plain.weir, name="responses")
    answer = client.responses.create(model=SONNET, input="hi", max_output_tokens=60)
    assert answer.output_text and answer.status == "completed"
    types = []
    with client.responses.stream(model=SONNET, input="hi", max_output_tokens=60) as stream:
        types = [event.type for event in stream]
        final = stream.get_final_response()
    assert types[0] == "response.created" and types[-1] == "response.completed"
    assert final.usage.output_tokens > 0 and final.output_text
    assert plain.weir.line(client="responses", stream=True)["output"] == final.usage.output_tokens


def test_openai_is_served_after_a_throttle(start):
    """weir waits for the quota; the SDK sees one slow answer and no error."""
    s = start(weir=one_region(quota_window="2s"), sim={"quota_window": "2s"})
    client = openai_client(s.weir, max_retries=0)
    for _ in range(4):
        assert client.chat.completions.create(model=SONNET, messages=HI, max_tokens=30).choices
    wait_until(lambda: any(line["queued_ms"] > 200 for line in s.weir.lines()), what="a call that waited")
    assert s.sim.truth(key="throttled_requests") == 0


def test_a_stream_throttled_upstream_is_served_elsewhere(healthy):
    for kind in ("unavailable", "first_event", "overloaded"):
        healthy.sim.heal()
        healthy.sim.fault(kind, region=EAST)
        chunks = list(
            openai_client(healthy.weir, name=kind, max_retries=0).chat.completions.create(
                model=SONNET, messages=HI, max_tokens=30, stream=True
            )
        )
        assert chunks[-1].choices[0].finish_reason
        line = healthy.weir.line(client=kind)
        assert (line["target_region"], line["outcome"]) == (WEST, "ok"), kind


def test_openai_refusals_have_their_types(start):
    s = start(weir=one_region(quota_window="30s", queue={"deadline": "1s"}))
    client = openai_client(s.weir)
    with pytest.raises(openai.RateLimitError) as problem:
        for _ in range(3):
            client.chat.completions.create(model=SONNET, messages=HI, max_tokens=30)
    error = problem.value
    assert (error.status_code, error.code, error.type) == (429, "rate_limit_exceeded", "rate_limit_error")
    assert error.request_id and "requests per minute" in error.message
    assert one_line_with_429(s.weir), "it was told not to retry"
    with pytest.raises(openai.NotFoundError) as unknown:
        client.files.list()
    assert unknown.value.code == "unknown_url"


def test_openai_errors_of_the_service_come_as_they_are(plain):
    client = openai_client(plain.weir)
    with pytest.raises(openai.BadRequestError) as problem:
        client.responses.create(model=SONNET, input="hi", background=True)
    assert "background" in problem.value.message


def test_a_broken_stream_is_an_error(healthy):
    for kind in ("mid_stream", "mid_stream_reset"):
        body = f"[[fault={kind}]] [[output=60]] [[rate=100]]"
        messages = [{"role": "user", "content": body}]
        with pytest.raises(openai.APIError):
            for _ in openai_client(healthy.weir).chat.completions.create(
                model=SONNET, messages=messages, max_tokens=100, stream=True
            ):
                pass
        with pytest.raises(anthropic.APIError):
            with anthropic_client(healthy.weir, name=kind).messages.stream(
                model=SONNET, messages=messages, max_tokens=100
            ) as stream:
                for _ in stream.text_stream:
                    pass
        assert healthy.weir.line(client=kind)["outcome"] == "broken_stream"


def test_a_broken_responses_stream_raises_where_weir_ends_it(healthy):
    with pytest.raises(openai.APIError):
        for _ in openai_client(healthy.weir).responses.create(
            model=SONNET, input="[[fault=mid_stream_reset]] [[output=60]] [[rate=100]]", stream=True
        ):
            pass


# ---- what a Region keeps

def test_a_stored_response_stays_in_its_region(start):
    s = start()
    s.sim.fault("unavailable", region=EAST)
    client = openai_client(s.weir)
    first = client.responses.with_raw_response.create(model=SONNET, input="hi", max_output_tokens=30)
    made = first.parse()
    assert first.headers["x-weir-target"].startswith(WEST)
    s.sim.heal()
    assert client.responses.retrieve(made.id).output_text == made.output_text
    again = client.responses.with_raw_response.create(
        model=SONNET, input="and then?", max_output_tokens=30, previous_response_id=made.id
    )
    assert again.headers["x-weir-target"].startswith(WEST)
    streamed = client.responses.create(model=SONNET, input="[[ttft=1ms]] x", stream=True, previous_response_id=made.id)
    last = list(streamed)[-1].response
    assert client.responses.retrieve(last.id).id == last.id
    line = s.weir.line(operation="Responses", stream=True)
    assert line["target_region"] == WEST
    # The turns before are read as well, though the body does not repeat them.
    assert line["estimated_input"] >= made.usage.total_tokens
    client.responses.delete(made.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(made.id)


def test_a_turn_does_not_leave_the_region_of_the_one_before(start):
    s = start(weir={"queue": {"deadline": "2s"}})
    client = openai_client(s.weir, max_retries=0)
    made = client.responses.create(model=SONNET, input="hi", max_output_tokens=30)
    s.sim.fault("unavailable", region=EAST)
    with pytest.raises(openai.InternalServerError):
        client.responses.create(model=SONNET, input="x", previous_response_id=made.id, max_output_tokens=30)
    assert s.sim.truth(WEST, key="accepted") == 0


# ---- a substituted model

def test_a_fallback_model_is_written_into_the_body(start):
    route = {"model": SONNET, "targets": [{"region": EAST}, {"region": EAST, "model": HAIKU}], "degrade_after": "0s"}
    s = start(weir={"routes": [route]})
    s.sim.fault("unavailable", model=SONNET)
    answer = openai_client(s.weir).chat.completions.create(model=SONNET, messages=HI, max_tokens=30)
    assert answer.model == HAIKU
    message = anthropic_client(s.weir).messages.create(model=SONNET, messages=HI, max_tokens=30)
    assert message.model == HAIKU
    assert s.weir.line(operation="Messages")["target_model"] == HAIKU


def test_a_nickname_goes_on_as_its_model(start):
    s = start(weir={"aliases": {"sonnet": SONNET}})
    answer = openai_client(s.weir).chat.completions.create(model="sonnet", messages=HI, max_tokens=30)
    assert answer.model == SONNET
    assert s.weir.converse(model="sonnet").status == 200


# ---- anthropic

def test_anthropic(plain):
    client = anthropic_client(plain.weir, name="anthropic")
    message = client.messages.create(model=SONNET, max_tokens=60, messages=HI)
    assert message.content[0].text
    line = plain.weir.line(client="anthropic", stream=False)
    assert (line["output"], line["max_tokens"]) == (message.usage.output_tokens, 60)
    with client.messages.stream(model=SONNET, max_tokens=60, messages=HI) as stream:
        assert "".join(stream.text_stream)
        final = stream.get_final_message()
    assert plain.weir.line(client="anthropic", stream=True)["output"] == final.usage.output_tokens


def test_anthropic_is_served_after_a_throttle(start):
    s = start(weir=one_region(quota_window="2s"), sim={"quota_window": "2s"})
    client = anthropic_client(s.weir, max_retries=0)
    for _ in range(4):
        assert client.messages.create(model=SONNET, messages=HI, max_tokens=30).content
    wait_until(lambda: any(line["queued_ms"] > 200 for line in s.weir.lines()), what="a call that waited")
    assert s.sim.truth(key="throttled_requests") == 0


def test_anthropic_refusals_have_their_types(start):
    s = start(weir=one_region(quota_window="30s", queue={"deadline": "1s"}))
    client = anthropic_client(s.weir)
    with pytest.raises(anthropic.RateLimitError) as problem:
        for _ in range(3):
            client.messages.create(model=SONNET, messages=HI, max_tokens=30)
    error = problem.value
    assert error.body["type"] == "error" and error.body["error"]["type"] == "rate_limit_error"
    assert error.request_id
    assert one_line_with_429(s.weir)
    with pytest.raises(anthropic.BadRequestError) as bad:
        client.messages.create(model="no such model", messages=HI, max_tokens=30)
    assert bad.value.body["error"]["type"] == "invalid_request_error"


def test_keys_in_the_manner_of_each_sdk(start):
    import hashlib

    digest = hashlib.sha256(b"good").hexdigest()
    s = start(weir={"clients": [{"name": "app", "key_sha256": [digest], "models": ["*haiku*"]}]})
    with pytest.raises(openai.AuthenticationError):
        openai_client(s.weir).chat.completions.create(model=HAIKU, messages=HI)
    with pytest.raises(anthropic.AuthenticationError):
        anthropic_client(s.weir).messages.create(model=HAIKU, messages=HI, max_tokens=9)
    good = openai.OpenAI(base_url=s.weir.url + "/openai/v1", api_key="good")
    assert good.chat.completions.create(model=HAIKU, messages=HI, max_tokens=9).choices
    with pytest.raises(openai.PermissionDeniedError):
        good.chat.completions.create(model=SONNET, messages=HI, max_tokens=9)
    other = anthropic.Anthropic(base_url=s.weir.url + "/anthropic", api_key="good")
    assert other.messages.create(model=HAIKU, messages=HI, max_tokens=9).content
    assert s.weir.line(operation="Messages", client="app")["status"] == 200


# ---- bodies that nobody's SDK sends

def test_two_models_in_one_body_are_refused(plain):
    body = '{"model":"%s","messages":[],"model":"%s"}' % (HAIKU, SONNET)
    arrived = plain.sim.arrived()
    reply = plain.weir.ask("POST", "/v1/chat/completions", body)
    assert reply.status == 400 and reply.json()["error"]["type"] == "invalid_request_error"
    assert plain.sim.arrived() == arrived


@pytest.mark.parametrize("body", ["", "[]", "{", '{"messages":[]}', '{"model":7}', '{"model":"m","stream":true,"stream":false}'])
def test_bad_bodies(plain, body):
    for path in ("/v1/chat/completions", "/openai/v1/responses", "/anthropic/v1/messages"):
        reply = plain.weir.ask("POST", path, body)
        assert reply.status == 400 and reply.json()["error"]["message"].startswith("weir: "), path


def test_an_aws_error_on_such_a_path_is_put_in_its_words(start):
    """What stands before the model (signature, key) answers in AWS's own shape."""
    s = start(weir={"credentials": {"source": "static", "access_key_id": "AKIDEXAMPLE", "secret_access_key": "wrong"}})
    with pytest.raises(openai.APIStatusError) as problem:
        openai_client(s.weir, max_retries=0).chat.completions.create(model=SONNET, messages=HI)
    assert problem.value.status_code == 403 and "signature" in problem.value.message


def test_a_client_that_leaves_stops_the_stream(start):
    s = start()
    stream = openai_client(s.weir).chat.completions.create(
        model=SONNET, messages=[{"role": "user", "content": "[[output=2000]] [[rate=50]]"}], max_tokens=3000, stream=True
    )
    next(iter(stream))
    stream.close()
    wait_until(lambda: s.sim.truth(key="cancelled") == 1, what="the upstream's end")
    assert s.weir.line(operation="ChatCompletions")["outcome"] == "cancelled"


def test_env_knows_where_each_leads(plain):
    from harness import command

    for client, tail in (("openai", "OPENAI_BASE_URL=http://127.0.0.1:7070/openai/v1"),
                         ("anthropic", "ANTHROPIC_BASE_URL=http://127.0.0.1:7070/anthropic")):
        assert tail in command("env", client).stdout


# ---- langchain-aws and LiteLLM: large, and installed where that works

def test_langchain(plain):
    langchain_aws = pytest.importorskip("langchain_aws")
    chat = langchain_aws.ChatBedrockConverse(
        model=SONNET, region_name=EAST, base_url=plain.weir.url, max_tokens=60,
        aws_access_key_id="dummy", aws_secret_access_key="dummy",
    )
    answer = chat.invoke("hi")
    assert answer.content and answer.usage_metadata["output_tokens"] > 0
    assert len(list(chat.stream("hi"))) > 2
    assert plain.weir.line(operation="ConverseStream")["outcome"] == "ok"


def test_langchain_throttled_and_refused(start):
    langchain_aws = pytest.importorskip("langchain_aws")
    from botocore.exceptions import ClientError

    s = start(weir=one_region(quota_window="30s", queue={"deadline": "1s"}))
    chat = langchain_aws.ChatBedrockConverse(
        model=SONNET, region_name=EAST, base_url=s.weir.url, max_tokens=60,
        aws_access_key_id="dummy", aws_secret_access_key="dummy",
    )
    with pytest.raises(ClientError) as problem:
        for _ in range(3):
            chat.invoke("hi")
    assert problem.value.response["Error"]["Code"] == "ThrottlingException"


@pytest.fixture
def litellm(monkeypatch):
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # else it asks the network for prices
    module = pytest.importorskip("litellm")
    module.telemetry = False
    return module


def lite(litellm, weir, stream=False, **more):
    return litellm.completion(
        model=f"bedrock/{SONNET}", messages=HI, max_tokens=60, stream=stream, num_retries=0,
        aws_region_name=EAST, aws_access_key_id="dummy", aws_secret_access_key="dummy",
        aws_bedrock_runtime_endpoint=weir.url, **more,
    )


def test_litellm(plain, litellm):
    assert lite(litellm, plain.weir).choices[0].message.content
    assert "".join(c.choices[0].delta.content or "" for c in lite(litellm, plain.weir, stream=True))
    assert plain.weir.line(operation="ConverseStream")["outcome"] == "ok"


def test_litellm_throttled_and_refused(start, litellm):
    s = start(weir=one_region(quota_window="2s"), sim={"quota_window": "2s"})
    for _ in range(3):
        assert lite(litellm, s.weir).choices
    t = start(weir=one_region(quota_window="30s", queue={"deadline": "1s"}))
    with pytest.raises(litellm.RateLimitError):
        for _ in range(3):
            lite(litellm, t.weir)
