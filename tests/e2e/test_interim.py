"""`timeouts.interim_100`: which clients it keeps waiting, and which it drives away. docs/operations.md has the table."""

import http.client
import json
import shutil
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import anthropic
import boto3
import httpx2
import openai
import pytest
import urllib3
from botocore.config import Config
from harness import EAST, SONNET, Stack, raw, say, stream, text_of, wait_until
from http2_client import Http2
from test_js import node

TAKES, PATIENCE = 6, 3  # seconds: the answer's, and a client's read timeout
TEXT = f"[[ttft={TAKES}s]] [[output=5]]"
PATH = f"/model/{SONNET}/converse"
BODY = json.dumps(say(TEXT)).encode()
MESSAGES = [{"role": "user", "content": TEXT}]


def boto(url):
    session = boto3.session.Session(aws_access_key_id="d", aws_secret_access_key="d", region_name=EAST)
    return session.client("bedrock-runtime", endpoint_url=url,
                          config=Config(read_timeout=PATIENCE, retries={"total_max_attempts": 1}))


def by_boto3(url):
    return boto(url).converse(modelId=SONNET, **say(TEXT))["stopReason"]


def by_boto3_stream(url):
    return text_of(stream(boto(url), TEXT))


def by_openai(url):
    client = openai.OpenAI(base_url=f"{url}/openai/v1", api_key="k", timeout=PATIENCE, max_retries=0)
    return client.chat.completions.create(model=SONNET, messages=MESSAGES, max_tokens=100).choices[0].message.content


def by_anthropic(url):
    client = anthropic.Anthropic(base_url=f"{url}/anthropic", api_key="k", timeout=PATIENCE, max_retries=0)
    return client.messages.create(model=SONNET, messages=MESSAGES, max_tokens=100).content[0].text


def by_anthropic_bedrock(url):
    client = anthropic.AnthropicBedrock(aws_region=EAST, aws_access_key="d", aws_secret_key="d", base_url=url,
                                        timeout=PATIENCE, max_retries=0)
    return client.messages.create(model=SONNET, messages=MESSAGES, max_tokens=100).content[0].text


def by_httpx(url):
    return httpx2.post(url + PATH, content=BODY, timeout=PATIENCE).json()["stopReason"]


def by_urllib3(url):
    return urllib3.request("POST", url + PATH, body=BODY, timeout=PATIENCE, retries=False).json()["stopReason"]


def by_http_client(url):
    connection = http.client.HTTPConnection(url.split("/")[2], timeout=PATIENCE)
    connection.request("POST", PATH, BODY)
    return json.loads(connection.getresponse().read())["stopReason"]


def by_curl(url):
    done = subprocess.run(["curl", "-sS", "-d", BODY, "-H", "Expect:", url + PATH], capture_output=True, timeout=30)
    return json.loads(done.stdout)["stopReason"]


def by_aws_sdk_for_js(url):
    return node("client.mjs", url=url, operation="converse", model=SONNET, text=TEXT, http1=True, attempts=1,
                patience=1000 * PATIENCE).get("stop")


def by_node_fetch(url):
    return node("fetch.mjs", url=url + PATH, body=BODY.decode()).get("stopReason")


QUIET = [by_boto3, by_boto3_stream, by_openai, by_anthropic, by_anthropic_bedrock, by_httpx, by_urllib3, by_http_client,
         by_aws_sdk_for_js]
INDIFFERENT = [by_curl]  # it has no read timeout
FRIGHTENED = [by_node_fetch]
ALL = QUIET + INDIFFERENT + FRIGHTENED


def outcome(client, url):
    try:
        return bool(client(url))
    except Exception as problem:  # each client has its own
        return repr(problem)


@pytest.fixture(scope="module")
def outcomes():
    """Of all clients at once, with and without: {(client, interim): True or what it said}."""
    slow = {"queue": {"deadline": "30s"}}
    with Stack(weir=slow) as without, Stack(weir={**slow, "timeouts": {"interim_100": "1s"}}) as with_it:
        asked = [(client, s, url) for client in ALL for s, url in ((False, without.weir.url), (True, with_it.weir.url))]
        with ThreadPoolExecutor(len(asked)) as pool:
            came = pool.map(lambda one: outcome(one[0], one[2]), asked)
            return {(client, interim): said for (client, interim, _), said in zip(asked, came)}


def name(client):
    return client.__name__.removeprefix("by_")


@pytest.mark.parametrize("client", QUIET, ids=name)
def test_a_read_timeout_is_kept_quiet(outcomes, client):
    assert outcomes[client, False] is not True, "it waits anyway: the test shows nothing"
    assert outcomes[client, True] is True


@pytest.mark.parametrize("client", INDIFFERENT, ids=name)
def test_who_is_not_disturbed(outcomes, client):
    if client is by_curl and not shutil.which("curl"):
        pytest.skip("no curl")
    assert outcomes[client, False] == outcomes[client, True]


@pytest.mark.parametrize("client", FRIGHTENED, ids=name)
def test_who_takes_it_for_an_error(outcomes, client):
    """Why it is off unless asked for."""
    assert outcomes[client, False] is True and outcomes[client, True] is not True


@pytest.fixture(scope="module")
def second():
    with Stack(weir={"timeouts": {"interim_100": "1s"}, "quota_window": "3s"}) as stack:
        yield stack


def post(version="HTTP/1.1", text="[[ttft=2500ms]] [[output=5]]", more=""):
    body = json.dumps(say(text)).encode()
    return f"POST {PATH} {version}\r\nHost: localhost\r\nConnection: close\r\n{more}Content-Length: {len(body)}\r\n\r\n".encode() + body


def test_it_comes_at_its_interval_until_the_head(second):
    began = time.monotonic()
    answer = raw(second.weir.port, post(), timeout=10)
    took = time.monotonic() - began
    interims, rest = answer.count(b"HTTP/1.1 100 Continue\r\n\r\n"), answer.replace(b"HTTP/1.1 100 Continue\r\n\r\n", b"")
    assert 2 <= interims <= took
    assert rest.startswith(b"HTTP/1.1 200 ") and b"end_turn" in rest


def test_a_quick_answer_has_none(second):
    assert raw(second.weir.port, post(text="hi"), timeout=10).startswith(b"HTTP/1.1 200 ")


def test_it_is_not_for_http10_nor_for_http2(second):
    assert raw(second.weir.port, post("HTTP/1.0"), timeout=10).startswith(b"HTTP/1.1 200 ")
    with Http2(second.weir.port) as client:
        answer = client.answer(client.ask(PATH, json.dumps(say("[[ttft=2500ms]]")).encode()))
        assert answer.status == 200 and client.interims == 0


def test_it_comes_while_a_call_waits_for_quota(start):
    s = start(weir={"timeouts": {"interim_100": "1s"}, "quota_window": "5s",
                    "quotas": [{"model": SONNET, "requests_per_minute": 2, "tokens_per_minute": 1_000_000}],
                    "routes": [{"model": SONNET, "targets": [{"region": EAST}]}]})
    assert s.weir.converse().status == 200
    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(lambda _: raw(s.weir.port, post(text="hi"), timeout=20), range(3)))
    assert all(b"HTTP/1.1 200 " in a for a in answers)
    assert any(a.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n") for a in answers)


def test_a_client_that_leaves_is_still_seen(second):
    before = second.sim.truth(key="cancelled")
    with socket.create_connection(("127.0.0.1", second.weir.port), timeout=10) as s:
        s.sendall(post(text="[[ttft=20s]]"))
        assert s.recv(100).startswith(b"HTTP/1.1 100 ")
    wait_until(lambda: second.sim.truth(key="cancelled") == before + 1, 5, "the upstream's end")
