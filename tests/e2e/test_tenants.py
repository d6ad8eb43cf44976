"""What one client may see and use of what is there: stored responses, models, Regions, on every path."""

import hashlib
import json

import openai
import pytest
from harness import EAST, HAIKU, NOVA, SONNET, WEST, Stack, say, wait_until
from scripted import Scripted, answer

REEL = "amazon.nova-reel-v1:0"
ARN = "arn:aws:bedrock:{}:123456789012:{}"


def key(name):
    return f"weir_test_key_{name}"


def client(name, **more):
    return {"name": name, "key_sha256": [hashlib.sha256(key(name).encode()).hexdigest()], **more}


CLIENTS = [
    client("a"), client("b"), client("narrow", models=["*haiku*"]), client("east", regions=[EAST]),
    client("few", requests_per_minute=3),
]


def by(name, **more):
    return {"Authorization": f"Bearer {key(name)}", **more}


@pytest.fixture(scope="module")
def keyed():
    settings = {"clients": CLIENTS, "aliases": {"quick": HAIKU, "clever": SONNET},
                "quotas": [{"model": HAIKU, "requests_per_minute": 1_000_000}]}
    with Stack(weir=settings) as stack:
        yield stack


def sdk(weir, name):
    return openai.OpenAI(base_url=weir.url + "/openai/v1", api_key=key(name), max_retries=0)


def make(weir, name, **more):
    return sdk(weir, name).responses.create(model=SONNET, input="hi", max_output_tokens=30, **more)


@pytest.mark.parametrize("streamed", [False, True])
def test_a_stored_response_is_its_makers_alone(keyed, streamed, protocol):
    made = make(keyed.weir, "a", stream=streamed)
    response = next(event.response.id for event in made if event.type == "response.created") if streamed else made.id
    path = f"/v1/responses/{response}"
    if streamed:
        assert "x-weir-target" in keyed.weir.ask("GET", path, headers=by("a")).headers, "known while it is being made"
        assert list(made)
    assert keyed.weir.ask("GET", path, headers=by("a")).status == 200
    arrived = len(keyed.sim.truth())
    for method, where in (("GET", path), ("GET", path + "/input_items"), ("POST", path + "/cancel"), ("DELETE", path),
                          ("GET", "/openai" + path)):
        body = "{}" if method == "POST" else None
        others = keyed.weir.ask(method, where, body, by("b"))
        absent = keyed.weir.ask(method, where.replace(response, "resp_nothing"), body, by("b"))
        assert others.status == absent.status == 404, (method, where)
        error = others.json()["error"]
        assert (error["type"], error["code"]) == ("invalid_request_error", None)
        assert others.body.replace(response.encode(), b"X") == absent.body.replace(b"resp_nothing", b"X")
        assert "x-weir-target" not in others.headers, "not asked for upstream"
    assert len(keyed.sim.truth()) == arrived
    assert keyed.weir.ask("GET", path, headers=by("a")).status == 200, "still there"
    with pytest.raises(openai.NotFoundError, match="not found") as caught:
        make(keyed.weir, "b", previous_response_id=response)
    assert caught.value.code == "previous_response_not_found"
    assert make(keyed.weir, "a", previous_response_id=response).id
    assert keyed.weir.ask("DELETE", path, headers=by("a")).status == 200


def test_a_conversation_that_weir_did_not_see_made_is_nobodys(keyed):
    for conversation in ("conv_1", {"id": "conv_1"}):
        reply = keyed.weir.ask("POST", "/v1/responses", {"model": SONNET, "input": "hi", "conversation": conversation}, by("a"))
        assert reply.status == 404 and "not found" in reply.json()["error"]["message"]


def test_what_names_two_responses_is_refused(keyed):
    first = make(keyed.weir, "a").id
    body = f'{{"model":"{SONNET}","input":"x","previous_response_id":"{first}","previous_response_\\u0069d":"resp_b"}}'
    reply = keyed.weir.ask("POST", "/v1/responses", body, by("a"))
    assert reply.status == 400 and "more than once" in reply.json()["error"]["message"]


def test_without_keys_or_with_one_client_nobody_is_shut_out(start):
    for clients in ([], [client("a")]):
        s = start(weir={"clients": clients})
        reply = s.weir.ask("GET", "/v1/responses/resp_unknown", headers=by("a"))
        assert reply.status == 404 and "x-weir-target" in reply.headers, "the service's own answer"


def quoted(arn):
    return arn.replace(":", "%3A").replace("/", "%2F")


RERANK = {"queries": [], "sources": [], "rerankingConfiguration": {"type": "BEDROCK_RERANKING_MODEL", "bedrockRerankingConfiguration": {
    "modelConfiguration": {"modelArn": ARN.format(EAST, "x").replace("123456789012:x", ":foundation-model/amazon.rerank-v1:0")}}}}
CHAT = {"max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]}
FORBIDDEN_MODELS = {
    "converse": ("POST", f"/model/{SONNET}/converse", say("hi")),
    "alias": ("POST", "/model/clever/converse", say("hi")),
    "arn": ("POST", f"/model/{quoted(ARN.format(EAST, 'inference-profile/' + SONNET))}/converse", say("hi")),
    "opaque arn": ("POST", f"/model/{quoted(ARN.format(EAST, 'application-inference-profile/abc'))}/converse", say("hi")),
    "chat": ("POST", "/v1/chat/completions", {"model": SONNET, **CHAT}),
    "responses": ("POST", "/openai/v1/responses", {"model": "clever", "input": "hi"}),
    "messages": ("POST", "/anthropic/v1/messages", {"model": SONNET, **CHAT}),
    "count in messages": ("POST", "/anthropic/v1/messages/count_tokens", {"model": SONNET, **CHAT}),
    "count": ("POST", f"/model/{SONNET}/count-tokens", {"input": {"converse": {"messages": []}}}),
    "async": ("POST", "/async-invoke", {"modelId": REEL, "modelInput": {}}),
    "async by arn": ("POST", "/async-invoke", {"modelId": ARN.format(EAST, "foundation-model/" + REEL)}),
    "async list": ("GET", "/async-invoke", None),
    "rerank": ("POST", "/rerank", RERANK),
    "job": ("POST", "/model-invocation-job", {"modelId": SONNET, "jobName": "j"}),
    "jobs": ("GET", "/model-invocation-jobs", None),
    "profile": ("GET", f"/inference-profiles/{SONNET}", None),
    "foundation model": ("GET", f"/foundation-models/{SONNET.removeprefix('us.')}", None),
}


@pytest.mark.parametrize("what", FORBIDDEN_MODELS)
def test_models_hold_on_every_path(keyed, what):
    method, path, body = FORBIDDEN_MODELS[what]
    reply = keyed.weir.ask(method, path, body, by("narrow"))
    assert reply.status == 403, reply.body
    assert b"narrow may" in reply.body and "x-weir-target" not in reply.headers


def test_a_model_that_is_not_clear_is_refused(keyed):
    for body in ('{"modelId":"%s","modelId":"%s"}' % (HAIKU, SONNET), "{}", "[]", '{"modelId":7}'):
        assert keyed.weir.ask("POST", "/async-invoke", body, by("narrow")).status == 400, body


def test_what_is_allowed_goes_through(keyed):
    for method, path, body in [
        ("POST", f"/model/{HAIKU}/converse", say("hi")), ("POST", "/model/quick/converse", say("hi")),
        ("POST", f"/model/{quoted(ARN.format(EAST, 'inference-profile/' + HAIKU))}/converse", say("hi")),
        ("POST", "/v1/chat/completions", {"model": "quick", **CHAT}),
        ("POST", "/anthropic/v1/messages/count_tokens", {"model": HAIKU, **CHAT}),
        ("GET", "/inference-profiles", None), ("GET", "/v1/models", None),
    ]:
        reply = keyed.weir.ask(method, path, body, by("narrow"))
        assert reply.status == 200, (path, reply.body)


def signed_for(region):
    scope = f"Credential=AKIDEXAMPLE/20261128/{region}/bedrock/aws4_request"
    return f"AWS4-HMAC-SHA256 {scope}, SignedHeaders=host;x-amz-date, Signature=00"


FORBIDDEN_REGIONS = {
    "converse": ("POST", f"/model/{HAIKU}/converse", say("hi")),
    "count": ("POST", f"/model/{HAIKU}/count-tokens", {}),
    "guardrail": ("POST", "/guardrail/g/version/1/apply", {}),
    "checks": ("POST", "/guardrail-checks/invoke", {}),
    "async": ("POST", "/async-invoke", {"modelId": REEL}),
    "async list": ("GET", "/async-invoke", None),
    "rerank": ("POST", "/rerank", RERANK),
    "jobs": ("GET", "/model-invocation-jobs", None),
    "profiles": ("GET", "/inference-profiles", None),
    "responses": ("POST", "/v1/responses", {"model": HAIKU, "input": "hi"}),
}
FOREIGN_ARNS = {
    "model": ("POST", f"/model/{quoted(ARN.format(WEST, 'inference-profile/' + HAIKU))}/converse", say("hi")),
    "body": ("POST", "/v1/chat/completions", {"model": ARN.format(WEST, "inference-profile/" + HAIKU), **CHAT}),
    "async": ("GET", f"/async-invoke/{quoted(ARN.format(WEST, 'async-invoke/abc'))}", None),
    "async model": ("POST", "/async-invoke", {"modelId": ARN.format(WEST, "provisioned-model/" + REEL)}),
    "job": ("GET", f"/model-invocation-job/{quoted(ARN.format(WEST, 'model-invocation-job/abc'))}", None),
    "guardrail": ("POST", f"/guardrail/{quoted(ARN.format(WEST, 'guardrail/g'))}/version/1/apply", {}),
    "profile": ("GET", f"/inference-profiles/{quoted(ARN.format(WEST, 'inference-profile/' + HAIKU))}", None),
}


@pytest.mark.parametrize("what", FORBIDDEN_REGIONS)
def test_regions_hold_on_every_path(keyed, what):
    method, path, body = FORBIDDEN_REGIONS[what]
    headers = {"x-api-key": key("east"), "Authorization": signed_for(WEST)}
    reply = keyed.weir.ask(method, path, body, headers)
    assert reply.status == 403 and b"east may not use Region us-west-2" in reply.body, reply.body


@pytest.mark.parametrize("what", FOREIGN_ARNS)
def test_an_arn_of_another_region_is_refused(keyed, what):
    method, path, body = FOREIGN_ARNS[what]
    reply = keyed.weir.ask(method, path, body, by("east"))
    assert reply.status == 403 and b"east may not use Region us-west-2" in reply.body, reply.body


def test_what_was_stored_where_a_client_may_no_longer_go(start):
    s = start(weir={"clients": [client("a"), client("b")], "routes": [{"model": SONNET, "targets": [{"region": WEST}]}]})
    response = make(s.weir, "a").id
    s.weir.write({"clients": [client("a", regions=[EAST]), client("b")]})
    s.weir.signal(1)
    wait_until(lambda: s.weir.ask("GET", f"/v1/responses/{response}", headers=by("a")).status == 403, what="the reload")


def test_an_invocation_is_its_makers_alone(keyed):
    begun = keyed.weir.ask("POST", "/async-invoke", {"modelId": REEL, "modelInput": {"taskType": "TEXT_VIDEO"},
                                                     "outputDataConfig": {"s3OutputDataConfig": {"s3Uri": "s3://b/k"}}}, by("a"))
    arn = begun.json()["invocationArn"]
    path = f"/async-invoke/{quoted(arn)}"
    assert keyed.weir.ask("GET", path, headers=by("a")).status == 200
    others = keyed.weir.ask("GET", path, headers=by("b"))
    assert (others.status, others.error) == (404, "ResourceNotFoundException") and "x-weir-target" not in others.headers
    unknown = f"/async-invoke/{quoted(ARN.format(EAST, 'async-invoke/zzzzzzzzzzzz'))}"
    assert "x-weir-target" in keyed.weir.ask("GET", unknown, headers=by("b")).headers, "the service knows"
    assert keyed.weir.ask("GET", unknown, headers=by("narrow")).status == 404, "of which model is not known"


def test_jobs_rerank_and_checks_go_to_their_own_services(start, tmp_path):
    """The control plane is where control_endpoint says; what has no setting of its own stands in for it over plain http."""
    def say_it(connection, request):
        made = b'{"jobArn":"arn:aws:bedrock:us-east-1:1:model-invocation-job/job1"}'
        return answer(made if request.startswith(b"POST /model-invocation-job ") else b"{}")

    runtime, control = Scripted(say_it), Scripted(say_it)
    try:
        s = start(weir={"clients": [client("a"), client("b")], "routes": [], "default_region": EAST,
                        "regions": {EAST: {"endpoint": f"http://127.0.0.1:{runtime.port}",
                                           "control_endpoint": f"http://127.0.0.1:{control.port}"}, WEST: None}})
        for where, method, path, body in [
            (runtime, "POST", "/rerank", RERANK), (runtime, "POST", "/guardrail-checks/invoke", {}),
            (control, "POST", "/model-invocation-job", {"modelId": SONNET}), (control, "GET", "/model-invocation-job/job1", None),
            (control, "GET", "/model-invocation-jobs?maxResults=3", None), (control, "POST", "/model-invocation-job/job1/stop", None),
            (control, "GET", "/foundation-models?byProvider=x", None), (control, "GET", "/inference-profiles/us.x", None),
        ]:
            before = len(where.requests)
            reply = s.weir.ask(method, path, body, by("a"))
            assert reply.status == 200, (path, reply.body)
            request = where.requests[before]
            assert request.startswith(f"{method} {path} HTTP/1.1".encode()), request
            assert b"/us-east-1/bedrock/aws4_request" in request
        for method, path in (("GET", "/model-invocation-job/job1"), ("POST", "/model-invocation-job/job1/stop"),
                             ("POST", "/model-invocation-job/never-seen/stop")):
            assert s.weir.ask(method, path, headers=by("b")).status == 404, path
    finally:
        runtime.close()
        control.close()


def test_requests_per_minute_counts_what_is_passed_on(keyed):
    def guard():
        return keyed.weir.ask("POST", "/guardrail/g/version/1/apply", {"source": "INPUT", "content": []}, by("few"))

    count = ("POST", f"/model/{HAIKU}/count-tokens", {"input": {"converse": {"messages": say("hi")["messages"]}}}, by("few"))
    assert guard().status == 200
    assert keyed.weir.ask("GET", "/inference-profiles", headers=by("few")).status == 200
    assert keyed.weir.converse(headers=by("few")).status == 200
    for reply in (guard(), keyed.weir.ask("GET", "/foundation-models", headers=by("few"))):
        assert (reply.status, reply.error) == (429, "ThrottlingException")
        message = reply.json()["message"]
        assert "the limit of this client is reached. It uses 3 of 3 requests per minute." in message, message
        assert int(reply.headers["x-weir-retry-after"]) > 20
    for _ in range(5):
        assert keyed.weir.ask(*count).status == 200, "CountTokens apart"
        assert keyed.weir.ask("GET", "/v1/models", headers=by("few")).status == 200


def test_models_are_listed_for_who_asks(keyed):
    def ids(name, path="/v1/models", **headers):
        return [one["id"] for one in keyed.weir.ask("GET", path, headers=by(name, **headers)).json()["data"]]

    assert ids("a") == [SONNET, HAIKU] and ids("narrow") == [HAIKU]
    assert [one.id for one in sdk(keyed.weir, "narrow").models.list()] == [HAIKU]
    assert sdk(keyed.weir, "narrow").models.retrieve(HAIKU).owned_by == "anthropic"
    with pytest.raises(openai.NotFoundError):
        sdk(keyed.weir, "narrow").models.retrieve(SONNET)
    assert keyed.weir.ask("GET", "/v1/models").status == 401


def test_anthropics_client_lists_and_counts(keyed):
    import anthropic

    for base in ("", "/anthropic"):
        mine = anthropic.Anthropic(base_url=keyed.weir.url + base, api_key=key("a"), max_retries=0)
        assert [one.id for one in mine.models.list()] == [SONNET, HAIKU]
        assert mine.models.retrieve(HAIKU).type == "model"
        with pytest.raises(anthropic.NotFoundError):
            mine.models.retrieve(NOVA)
    count = mine.messages.count_tokens(model=SONNET, system="Be brief.", messages=CHAT["messages"])
    assert count.input_tokens > 0
    assert mine.beta.messages.count_tokens(model=SONNET, messages=CHAT["messages"], betas=["some-beta"]).input_tokens > 0
    assert keyed.weir.line(operation="CountMessageTokens", outcome="ok", client="a")["model"] == SONNET
    with pytest.raises(anthropic.BadRequestError):
        mine.messages.count_tokens(model="nobody.nothing-v1", messages=[])
