"""Clients that sign with a pair of weir's own, as their SDK signs for AWS."""

import datetime
import hashlib
import json
from unittest import mock

import boto3
import pytest
from anthropic import AnthropicBedrock, AnthropicBedrockMantle, AuthenticationError
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from harness import EAST, HAIKU, SONNET, WEST, Stack, ask, command, converse, headers_of, say, stream, text_of
from http2_client import Http2
from test_js import node

ID, SECRET = "WEIRTESTPAIR", "pair/secret+0123456789"
KEY = "weir_test_key_0123456789"
CLIENTS = [
    {"name": "signer", "access_key_id": ID, "secret_access_key": SECRET, "priority": "batch"},
    {"name": "both", "access_key_id": "WEIROTHER", "secret_access_key": "other-secret", "models": ["*haiku*"],
     "key_sha256": [hashlib.sha256(KEY.encode()).hexdigest()]},
]
PATH = f"/model/{SONNET.replace(':', '%3A')}/converse"
BODY = json.dumps(say("hi")).encode()
WRONG = "The request signature we calculated does not match"


@pytest.fixture(scope="module")
def keyed():
    with Stack(weir={"clients": CLIENTS}) as stack:
        yield stack


def boto(weir, key=ID, secret=SECRET, region=EAST, token=None):
    session = boto3.session.Session(
        aws_access_key_id=key, aws_secret_access_key=secret, aws_session_token=token, region_name=region
    )
    return session.client("bedrock-runtime", endpoint_url=weir.url, config=Config(retries={"total_max_attempts": 1}))


def signed(weir, path=PATH, body=BODY, key=ID, secret=SECRET, off=0, service="bedrock", headers=None):
    """The header fields of a request that botocore has signed, its clock `off` by so many seconds."""
    request = AWSRequest("POST", weir.url + path, data=body, headers={"Content-Type": "application/json", **(headers or {})})
    when = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=off)
    with mock.patch("botocore.auth.get_current_datetime", lambda *_, **__: when):
        SigV4Auth(Credentials(key, secret), service, EAST).add_auth(request)
    return {**dict(request.headers), "Host": f"127.0.0.1:{weir.port}"}


def http1(weir, headers, path=PATH, body=BODY):
    reply = weir.ask("POST", path, body, headers)
    return reply.status, reply.error, reply.body.decode()


def http2(weir, headers, path=PATH, body=BODY):
    fields = [(name.lower(), value) for name, value in headers.items() if name != "Host"]
    with Http2(weir.port) as client:
        answer = client.answer(client.ask(path, body, headers=fields, authority=headers["Host"]))
        return answer.status, answer.headers.get("x-amzn-errortype"), answer.body.decode()


@pytest.fixture(params=[http1, http2], ids=["http1", "http2"])
def send(request):
    return request.param


def test_boto3_signs_and_is_let_in(keyed):
    client = boto(keyed.weir)
    answer = converse(client)
    line = keyed.weir.line(id=headers_of(answer)["x-weir-request-id"])
    assert line["client"] == "signer" and line["outcome"] == "ok"
    assert text_of(stream(client))
    assert headers_of(converse(boto(keyed.weir, region=WEST), model=HAIKU))["x-weir-target"].startswith(WEST)
    arn = f"arn:aws:bedrock:{EAST}:123456789012:inference-profile/{SONNET}"
    assert converse(client, model=arn)["stopReason"]
    assert client.count_tokens(modelId=SONNET, input={"converse": {"messages": say("hello")["messages"]}})["inputTokens"]
    assert client.list_async_invokes(maxResults=5, sortOrder="Descending")["asyncInvokeSummaries"] == []


def test_the_mantle_client_signs_for_its_own_service(keyed):
    def client(secret):
        return AnthropicBedrockMantle(
            aws_access_key=ID, aws_secret_key=secret, aws_region=EAST, base_url=keyed.weir.url + "/anthropic", max_retries=0
        )

    ask_it = {"model": SONNET, "max_tokens": 30, "messages": [{"role": "user", "content": "hi"}]}
    assert client(SECRET).messages.create(**ask_it).content[0].text
    assert keyed.weir.line(operation="Messages", outcome="ok")["client"] == "signer"
    with client(SECRET).messages.stream(**ask_it) as events:
        assert events.get_final_text()
    with pytest.raises(AuthenticationError, match=WRONG):
        client("wrong").messages.create(**ask_it)


@pytest.mark.parametrize("key, secret, token, error", [
    (ID, "wrong", None, "InvalidSignatureException"),
    ("WEIRNOBODY", SECRET, None, "UnrecognizedClientException"),
    ("dummy", "dummy", None, "UnrecognizedClientException"),
    (ID, SECRET, "a-session", "UnrecognizedClientException"),
], ids=["wrong-secret", "unknown-id", "dummies", "session-token"])
def test_boto3_is_refused_as_by_aws(keyed, key, secret, token, error):
    arrived = keyed.sim.arrived()
    with pytest.raises(ClientError) as caught:
        converse(boto(keyed.weir, key, secret, token=token))
    assert caught.value.response["Error"]["Code"] == error
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    assert keyed.sim.arrived() == arrived
    line = keyed.weir.line(error=error)
    assert line["client"] in (None, "") and line["reason"] == "key" and line["outcome"] == "client_error"


def test_what_is_signed_is_what_arrives(keyed, send):
    good = signed(keyed.weir)
    assert send(keyed.weir, good)[0] == 200
    tampered = {
        "body": dict(body=BODY.replace(b"hi", b"ho")),
        "longer body": dict(body=BODY + b" "),
        "path": dict(path=PATH.replace("sonnet", "sonnex")),
        "path written another way": dict(path=PATH.replace("%3A", ":")),
        "path in lower case": dict(path=PATH.replace("%3A", "%3a")),
        "query": dict(path=PATH + "?a=b"),
        "operation": dict(path=PATH + "-stream"),
        "content type": dict(headers={**good, "Content-Type": "text/plain"}),
        "host": dict(headers={**good, "Host": f"localhost:{keyed.weir.port}"}),
        "region": dict(headers={**good, "Authorization": good["Authorization"].replace(EAST, WEST)}),
    }
    arrived = keyed.sim.arrived()
    for what, change in tampered.items():
        status, error, body = send(keyed.weir, change.pop("headers", good), **change)
        assert (status, error) == (403, "InvalidSignatureException") and WRONG in body, what
    assert keyed.sim.arrived() == arrived


@pytest.mark.parametrize("path", [
    f"/model/{SONNET}/converse",
    f"/model/{SONNET.replace(':', '%3A')}/converse",
    f"/model/{SONNET.replace(':', '%3a')}/converse",
    f"/@elsewhere/model/{SONNET.replace(':', '%3A')}/converse",
    f"/model/arn%3Aaws%3Abedrock%3A{EAST}%3A123456789012%3Ainference-profile%2F{SONNET}/converse",
], ids=["raw", "encoded", "lower-case", "prefixed", "arn"])
def test_paths_are_taken_as_they_were_signed(keyed, send, path):
    status, _, body = send(keyed.weir, signed(keyed.weir, path), path=path)
    assert status == 200, body


def test_clocks_may_be_five_minutes_off(keyed, send):
    assert send(keyed.weir, signed(keyed.weir, off=-280))[0] == 200
    assert send(keyed.weir, signed(keyed.weir, off=280))[0] == 200
    status, error, body = send(keyed.weir, signed(keyed.weir, off=-400))
    assert (status, error) == (403, "InvalidSignatureException") and "Signature expired" in body
    status, error, body = send(keyed.weir, signed(keyed.weir, off=400))
    assert (status, error) == (403, "InvalidSignatureException") and "Signature not yet current" in body


def test_a_signature_for_something_else(keyed, send):
    status, error, body = send(keyed.weir, signed(keyed.weir, service="s3"))
    assert (status, error) == (403, "InvalidSignatureException") and "scoped to correct service" in body
    unsigned_body = signed(keyed.weir, headers={"X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"})
    assert send(keyed.weir, unsigned_body)[:2] == (403, "InvalidSignatureException")
    stated = signed(keyed.weir, headers={"X-Amz-Content-SHA256": hashlib.sha256(BODY).hexdigest()})
    assert send(keyed.weir, stated)[0] == 200
    half = signed(keyed.weir)
    half["Authorization"] = half["Authorization"].split(", Signature=")[0]
    assert send(keyed.weir, half)[:2] == (403, "IncompleteSignatureException")
    undated = signed(keyed.weir)
    del undated["X-Amz-Date"]
    assert send(keyed.weir, undated)[:2] == (403, "IncompleteSignatureException")
    unsigned = {"Host": f"127.0.0.1:{keyed.weir.port}", "Content-Type": "application/json"}
    assert send(keyed.weir, unsigned)[:2] == (403, "AccessDeniedException")


def test_a_client_may_have_both(keyed):
    body = json.dumps(say("hi")).encode()
    haiku = f"/model/{HAIKU}/converse"
    by_key = keyed.weir.ask("POST", haiku, body, {"x-api-key": KEY})
    assert by_key.status == 200 and keyed.weir.line(id=by_key.headers["x-weir-request-id"])["client"] == "both"
    answer = converse(boto(keyed.weir, "WEIROTHER", "other-secret"), model=HAIKU)
    assert keyed.weir.line(id=headers_of(answer)["x-weir-request-id"])["client"] == "both"
    with pytest.raises(ClientError, match="may not use model"):
        converse(boto(keyed.weir, "WEIROTHER", "other-secret"))


@pytest.mark.parametrize("http1", [True, False], ids=["http1", "http2"])
def test_the_sdk_for_javascript(keyed, http1):
    def call(**more):
        asked = {"operation": "converse", "model": SONNET, "text": "hi", "key": ID, "secret": SECRET, **more}
        return node("client.mjs", url=keyed.weir.url, http1=http1, **asked)

    assert call()["text"]
    assert call(operation="converseStream")["events"][-1] == "metadata"
    assert call(secret="wrong", attempts=1)["error"] == "InvalidSignatureException"
    assert call(key="nobody", attempts=1)["error"] == "UnrecognizedClientException"
    # It sets its clock by the Date of the refusal, and asks again.
    assert call(clock=600_000, attempts=1)["error"] == "InvalidSignatureException"
    assert call(clock=600_000, attempts=3)["text"]
    assert call(clock=-600_000, attempts=3)["text"]


def test_anthropics_sdk_for_bedrock(keyed):
    client = AnthropicBedrock(aws_region=EAST, aws_access_key=ID, aws_secret_key=SECRET, base_url=keyed.weir.url)
    message = client.messages.create(model=SONNET, max_tokens=100, messages=[{"role": "user", "content": "hi"}])
    assert message.content[0].text


def test_the_secret_shows_nowhere(keyed):
    converse(boto(keyed.weir))
    shown = keyed.weir.log() + keyed.weir.out.read_text()
    for path in ("/metrics", "/status"):
        shown += ask(keyed.weir.admin, "GET", path).body.decode()
    for words in (["check"], ["print-config", "-c"]):
        done = command(*words, str(keyed.weir.file))
        assert done.returncode == 0
        shown += done.stdout + done.stderr
    assert SECRET not in shown and ID in shown


def test_a_made_pair_works_once_it_is_pasted_and_no_more_when_it_is_gone(start):
    s = start()
    made = command("key", "new", "notebook", "--sigv4")
    assert made.returncode == 0, made.stderr
    words = made.stdout.split()
    pair = dict(word.split("=", 1) for word in words if "=" in word)
    entry = made.stdout[made.stdout.index("  - {name:"):]
    assert pair["AWS_ACCESS_KEY_ID"] in entry
    answer = converse(boto(s.weir, pair["AWS_ACCESS_KEY_ID"], pair["AWS_SECRET_ACCESS_KEY"]))
    assert s.weir.line(id=headers_of(answer)["x-weir-request-id"])["client"] != "notebook"

    mine = {"name": "notebook", "access_key_id": pair["AWS_ACCESS_KEY_ID"],
            "secret_access_key": pair["AWS_SECRET_ACCESS_KEY"]}
    s.weir.write({"clients": [mine]})
    assert ask(s.weir.admin, "POST", "/reload").status == 200
    client = boto(s.weir, mine["access_key_id"], mine["secret_access_key"])
    assert s.weir.line(id=headers_of(converse(client))["x-weir-request-id"])["client"] == "notebook"
    assert s.weir.converse().status == 403, "a pair on any client makes keys required for all"

    s.weir.write({"clients": [{**mine, "secret_access_key": "another"}]})
    assert ask(s.weir.admin, "POST", "/reload").status == 200
    with pytest.raises(ClientError, match="InvalidSignatureException"):
        converse(client)


def test_half_a_pair_is_an_error_with_its_place(tmp_path):
    file = tmp_path / "weir.yaml"
    file.write_text("clients:\n  - {name: a, access_key_id: AK}\n")
    done = command("check", str(file))
    assert done.returncode == 2 and ":2:5: " in done.stderr and "secret_access_key" in done.stderr


def test_env_names_it():
    text = command("env", "boto3").stdout
    assert "key new NAME --sigv4" in text and "AWS_SECRET_ACCESS_KEY" in text
