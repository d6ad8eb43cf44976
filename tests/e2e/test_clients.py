"""Who asks, and who may not."""

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from anthropic import AnthropicBedrock
from botocore.exceptions import ClientError
from harness import EAST, HAIKU, SONNET, ask, converse, headers_of, raw, say

KEY = "weir_test_key_0123456789"
CLIENTS = [
    {"name": "chat", "key_sha256": [hashlib.sha256(KEY.encode()).hexdigest()], "priority": "interactive"},
    {"name": "narrow", "key_sha256": [hashlib.sha256(b"narrow").hexdigest()], "models": ["us.anthropic.*haiku*"]},
]


@pytest.fixture(scope="module")
def keyed():
    from harness import Stack

    with Stack(weir={"clients": CLIENTS}) as stack:
        yield stack


@pytest.mark.parametrize("headers", [{"Authorization": f"Bearer {KEY}"}, {"x-api-key": KEY}], ids=["bearer", "api-key"])
def test_a_key_lets_its_client_in(keyed, headers):
    reply = keyed.weir.converse(headers=headers)
    assert reply.status == 200
    assert keyed.weir.line(id=reply.headers["x-weir-request-id"])["client"] == "chat"


def test_boto3_with_a_key(keyed):
    """Its own bearer keys go over https alone, so over plain http the key travels as x-api-key."""
    client = keyed.weir.boto()
    client.meta.events.register(
        "before-sign.bedrock-runtime", lambda request, **_: request.headers.add_header("x-api-key", KEY)
    )
    assert converse(client)["stopReason"]


@pytest.mark.parametrize("headers", [{}, {"x-api-key": "wrong"}, {"Authorization": "Bearer wrong"}, {"x-weir-client": "chat"}])
def test_no_key_or_a_wrong_one_is_refused(keyed, headers):
    arrived = keyed.sim.arrived()
    reply = keyed.weir.converse(headers=headers)
    assert (reply.status, reply.error) == (403, "AccessDeniedException")
    assert keyed.sim.arrived() == arrived


def test_a_client_keeps_to_its_models(keyed):
    headers = {"x-api-key": "narrow"}
    reply = keyed.weir.converse(headers=headers)
    assert (reply.status, reply.error) == (403, "AccessDeniedException")
    assert keyed.weir.converse(model=HAIKU, headers=headers).status == 200


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/healthz/", "/healthz?from=probe", "/readyz/?a=b"])
def test_health_needs_no_key_and_any_host_will_do(keyed, protocol, path):
    assert keyed.weir.ask("GET", path).status == 200
    if protocol == "http1":
        for port in (keyed.weir.port, keyed.weir.admin):
            assert ask(port, "GET", path, headers={"Host": "10.1.2.3:8080"}).status == 200
            assert ask(port, "GET", path, headers={"Host": "weir.example"}).status == 200
            assert ask(port, "GET", path, headers={"Host": "weir.example", "Origin": "http://evil.example"}).status == 403


def test_keys_show_nowhere(keyed):
    keyed.weir.converse(headers={"x-api-key": KEY})
    shown = keyed.weir.log() + keyed.weir.out.read_text()
    for path in ("/metrics", "/status"):
        shown += ask(keyed.weir.admin, "GET", path).body.decode()
    assert KEY not in shown and "example-secret" not in shown


def test_names_without_keys(plain):
    body = say("hi")
    ways = {
        "by-path": plain.weir.ask("POST", f"/@by-path/model/{SONNET}/converse", body),
        "by-header": plain.weir.converse(headers={"x-weir-client": "by-header"}),
        "by-agent": plain.weir.converse(headers={"User-Agent": "Boto3/1.44 md/x app/by-agent"}),
        "first": plain.weir.ask("POST", f"/@first/model/{SONNET}/converse", body, {"x-weir-client": "second"}),
    }
    for name, reply in ways.items():
        assert reply.status == 200
        assert plain.weir.line(id=reply.headers["x-weir-request-id"])["client"] == name
    assert plain.weir.metrics().sum("weir_requests_total", client="by-agent", outcome="ok") == 1


def test_boto3s_app_id_is_the_name(plain):
    answer = converse(plain.weir.boto(user_agent_appid="my-program"))
    assert plain.weir.line(id=headers_of(answer)["x-weir-request-id"])["client"] == "my-program"


@pytest.mark.parametrize("headers", [{"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Host": "evil.example"}])
def test_browsers_are_refused_on_both_ports(plain, headers):
    arrived = plain.sim.arrived()
    reply = plain.weir.converse(headers=headers)
    assert (reply.status, reply.error) == (403, "AccessDeniedException")
    assert ask(plain.weir.admin, "GET", "/status", headers=headers).status == 403
    assert ask(plain.weir.admin, "POST", "/reload", headers=headers).status == 403
    assert plain.sim.arrived() == arrived


def test_a_gateway_that_leads_to_itself(start):
    from harness import free_port

    s = start()
    s.weir.write({"regions": {EAST: {"endpoint": s.weir.url}}, "routes": [{"model": SONNET, "targets": [{"region": EAST}]}]})
    assert ask(s.weir.admin, "POST", "/reload").status == 200
    assert s.weir.converse().status == 508


def test_unknown_paths_are_not_signed(plain):
    for method, path in [("GET", "/"), ("POST", "/model/x/delete"), ("PUT", f"/model/{SONNET}/converse"),
                         ("GET", f"/model/{SONNET}/converse"), ("POST", "/guardrails"), ("POST", "/model//converse")]:
        reply = plain.weir.ask(method, path, "{}" if method != "GET" else None)
        assert (reply.status, reply.error) == (404, "UnknownOperationException"), (method, path)


def test_the_path_goes_on_raw_or_encoded(plain):
    for model in (SONNET, SONNET.replace(":", "%3A"), SONNET.replace(":", "%3a")):
        assert plain.weir.converse(model=model).status == 200, model


def test_weirs_own_headers_stay_here(plain):
    reply = plain.weir.converse(headers={"x-weir-surprise": "1"})
    assert reply.status == 200
    assert plain.weir.metrics().sum("weir_unknown_headers_total") >= 1


def test_anthropic_bedrock(plain):
    client = AnthropicBedrock(
        aws_region=EAST, aws_access_key="dummy", aws_secret_key="dummy", base_url=plain.weir.url
    )
    message = client.messages.create(
        model=SONNET, max_tokens=100, messages=[{"role": "user", "content": "hi"}]
    )
    assert message.content[0].text and message.usage.output_tokens > 0
    with client.messages.stream(
        model=SONNET, max_tokens=100, messages=[{"role": "user", "content": "hi"}]
    ) as stream:
        assert "".join(stream.text_stream)


def test_anthropic_bedrock_asks_once_when_told_so(start):
    from anthropic import RateLimitError

    limits = {"requests_per_minute": 2, "tokens_per_minute": 1_000_000}
    s = start(weir={"quotas": [{"model": SONNET, **limits}], "quota_window": "30s",
                    "routes": [{"model": SONNET, "targets": [{"region": EAST}]}], "queue": {"deadline": "1s"}})
    client = AnthropicBedrock(aws_region=EAST, aws_access_key="d", aws_secret_key="d", base_url=s.weir.url)
    with pytest.raises(RateLimitError):
        for _ in range(3):
            client.messages.create(model=SONNET, max_tokens=100, messages=[{"role": "user", "content": "hi"}])
    throttled = [line for line in s.weir.lines() if line["status"] == 429]
    assert len(throttled) <= 1


def test_priority_may_be_lowered_and_not_raised(keyed):
    key = {"x-api-key": KEY}
    assert keyed.weir.converse(headers={**key, "x-weir-priority": "batch"}).status == 200
    assert keyed.weir.converse(headers={**key, "x-weir-priority": "urgent"}).status == 400


def test_each_callers_own_key_is_passed_on(start):
    """The simulator knows signatures only, so a server of our own looks at what arrives."""
    seen = []

    class Upstream(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            seen.append({k.lower(): v for k, v in self.headers.items()})
            answer = json.dumps({"stopReason": "end_turn", "usage": {"inputTokens": 1, "outputTokens": 1}}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Upstream) as upstream:
        threading.Thread(target=upstream.serve_forever, daemon=True).start()
        s = start(
            regions=(EAST,),
            weir={
                "regions": {EAST: {"endpoint": f"http://127.0.0.1:{upstream.server_port}"}},
                "credentials": {"source": "client_bearer", "access_key_id": None, "secret_access_key": None},
                "routes": [{"model": SONNET, "targets": [{"region": EAST}]}],
            },
        )
        for key in ("alpha", "beta"):
            assert s.weir.converse(headers={"Authorization": f"Bearer {key}"}).status == 200
        assert [h["authorization"] for h in seen] == ["Bearer alpha", "Bearer beta"]
        assert not any("x-amz-date" in h for h in seen)
        upstream.shutdown()
