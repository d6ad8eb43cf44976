"""GET /explain/ID and `weir explain`: the life of one request."""

import hashlib
import json
import socket

import pytest
from harness import EAST, ROOM_FOR_ONE, SONNET, WEST, ask, command, converse, headers_of, reply_that_waited, say, stream, wait_until

ROUTE = [{"model": SONNET, "targets": [{"region": EAST}, {"region": WEST}]}]
OPENAI = "openai.gpt-oss-120b-1:0"


def explain(weir, request_id, headers=None):
    return ask(weir.admin, "GET", f"/explain/{request_id}", headers=headers)


def told(weir, request_id):
    reply = explain(weir, request_id)
    assert reply.status == 200, reply.body
    return reply.json()


def test_an_answered_call(plain):
    answer = converse(plain.weir.boto(user_agent_appid="app"), "a secret prompt", max_tokens=77)
    headers = headers_of(answer)
    life = wait_until(lambda: (r := explain(plain.weir, headers["x-weir-request-id"])).status == 200
                      and r.json()["state"] == "ended" and r.json())
    assert life["id"] == headers["x-weir-request-id"]
    assert life["request"]["client"] == "app" and life["request"]["operation"] == "Converse"
    assert life["estimate"]["max_tokens_asked"] == 77
    assert life["estimate"]["reserved"] == life["estimate"]["input_held"] + life["estimate"]["output_held"]
    step, = life["steps"]
    assert (step["step"], step["region"], step["choice"], step["result"]) == ("attempt", EAST, "first", "ok")
    assert 0 <= step["from_ms"] <= step["sent_ms"] <= step["head_ms"] <= step["to_ms"] <= life["times"]["total_ms"]
    assert life["settlement"]["output"] == answer["usage"]["outputTokens"]
    assert life["answer"] == {"status": 200, "outcome": "ok", "error": None, "reason": None,
                              "upstream_request_id": headers["x-amzn-requestid"]}
    assert "Client app sent Converse" in life["sentences"][0]
    assert "secret" not in json.dumps(life)
    assert told(plain.weir, headers["x-amzn-requestid"])["id"] == life["id"], "by the service's id as well"


@pytest.mark.parametrize("path, body", [
    (f"/model/{SONNET}/converse", say("hi")),
    (f"/model/{SONNET}/converse-stream", say("hi")),
    (f"/model/{SONNET}/invoke", {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 9,
                                 "messages": [{"role": "user", "content": "hi"}]}),
    (f"/model/{SONNET}/count-tokens", {"input": {"converse": {"messages": []}}}),
    ("/openai/v1/chat/completions", {"model": OPENAI, "messages": [{"role": "user", "content": "hi"}]}),
    ("/openai/v1/chat/completions", {"model": OPENAI, "stream": True, "messages": [{"role": "user", "content": "hi"}]}),
    ("/anthropic/v1/messages", {"model": SONNET, "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}),
    ("/anthropic/v1/messages", "no json"),
    ("/openai/v1/responses", "[]"),
    (f"/model/{SONNET}/converse", "no json"),
    ("/no/such/path", {}),
], ids=lambda v: v if isinstance(v, str) else "")
def test_every_answer_carries_an_id_that_can_be_explained(plain, protocol, path, body):
    reply = plain.weir.ask("POST", path, body, {"Content-Type": "application/json"})
    request_id = reply.headers["x-weir-request-id"]
    assert reply.headers["x-amzn-requestid"]
    life = wait_until(lambda: (r := explain(plain.weir, request_id)).status == 200
                      and r.json()["state"] == "ended" and r.json())
    assert life["answer"]["status"] == reply.status
    assert life["sentences"][-1].startswith(f"The client got status {reply.status}")


def test_a_call_that_fell_back(start):
    s = start(weir={"routes": ROUTE})
    s.sim.fault("unavailable", region=EAST)
    headers = headers_of(converse(s.weir.boto()))
    life = told(s.weir, headers["x-weir-request-id"])
    first, *_, last = [step for step in life["steps"] if step["step"] == "attempt"]
    assert (first["region"], first["status"], first["error"]) == (EAST, 503, "ServiceUnavailableException")
    assert (last["region"], last["choice"], last["result"]) == (WEST, "elsewhere", "ok")
    assert any("a fallback after ServiceUnavailableException" in one for one in life["sentences"])


def test_a_call_that_waits_and_what_would_have_been_faster(start):
    s = start(weir=ROOM_FOR_ONE)
    reply = reply_that_waited(s)
    assert reply.status == 200
    life = told(s.weir, reply.headers["x-weir-request-id"])
    wait = life["steps"][0]
    assert (wait["step"], wait["because"], wait["region"]) == ("wait", "quota", EAST)
    assert wait["limit"]["kind"] == "tokens" and wait["limit"]["limit"] == 2000
    assert 1400 < wait["limit"]["needed"] <= 2000 and 1500 < wait["limit"]["used"] <= 2000
    assert wait["to_ms"] - wait["from_ms"] > 100
    faster = {one["what"]: one for one in life["faster"]}
    assert faster["quota"]["from"] == 2000
    needed = wait["limit"]["used"] + wait["limit"]["needed"]
    assert wait["calls_before"] == 0 and faster["quota"]["to"] == needed + needed // 199, "0.5 % stays unused"
    assert faster["target"]["region"] == WEST


def test_a_refusal_names_the_limit(start):
    s = start(weir={"quotas": [{"model": SONNET, "tokens_per_minute": 1000}]})
    reply = s.weir.converse(max_tokens=5000)
    assert reply.status == 400
    life = told(s.weir, reply.headers["x-weir-request-id"])
    step, = life["steps"]
    assert (step["step"], step["because"], step["limit"]["limit"]) == ("refusal", "never_fits", 1000)
    assert {one["what"] for one in life["faster"]} == {"quota", "max_tokens"}


def test_an_unknown_id(plain):
    reply = explain(plain.weir, "nothing-of-that-name")
    assert reply.status == 404 and reply.error == "ResourceNotFoundException"
    assert "nothing is kept of request nothing-of-that-name" in reply.json()["message"]
    assert "since" in reply.json()["message"]
    assert explain(plain.weir, "a%20b").status == 400


def test_the_admin_key_guards_it(start):
    s = start(weir={"admin_key_sha256": hashlib.sha256(b"open sesame").hexdigest(), "admin_open": ["metrics", "status"]})
    request_id = headers_of(converse(s.weir.boto()))["x-weir-request-id"]
    assert explain(s.weir, request_id).status == 401
    assert explain(s.weir, request_id, {"Authorization": "Bearer open sesame"}).status == 200
    assert ask(s.weir.port, "GET", f"/explain/{request_id}").status in (403, 404), "not on the clients' port"
    url = f"http://127.0.0.1:{s.weir.admin}"
    refused = command("explain", "--url", url, request_id)
    assert refused.returncode == 1 and "WEIR_ADMIN_KEY" in refused.stderr
    assert command("explain", "--url", url, request_id, env={"WEIR_ADMIN_KEY": "open sesame"}).returncode == 0


def test_the_memory_is_bounded(start):
    s = start(weir={"workers": 1, "explain": {"memory": "64KiB", "requests": 20}})
    client = s.weir.boto()
    first = headers_of(converse(client))["x-weir-request-id"]
    for _ in range(12):
        last = headers_of(converse(client))["x-weir-request-id"]
    assert told(s.weir, last)
    gone = explain(s.weir, first)
    assert gone.status == 404 and "10 requests" in gone.json()["message"]


@pytest.mark.parametrize("key", ["", "Authorization: Bearer guest\r\n"], ids=["without a key", "of another client"])
def test_a_flood_does_not_push_out_anothers_trouble(start, key):
    keys = [{"name": name, "key_sha256": [hashlib.sha256(name.encode()).hexdigest()]} for name in ("victim", "guest")]
    s = start(weir={"workers": 1, "clients": keys, "explain": {"requests": 400}})
    s.sim.fault("internal")
    failed = s.weir.converse(headers={"authorization": "Bearer victim"})
    assert failed.status == 500
    s.sim.heal()
    request = f"POST /model/{SONNET}/converse HTTP/1.1\r\nHost: localhost\r\n{key}Content-Length: 2\r\n\r\n[]".encode()
    with socket.create_connection(("127.0.0.1", s.weir.port), timeout=30) as flood:
        for _ in range(20):
            flood.sendall(request * 50)
            got = b""
            while got.count(b"HTTP/1.1 4") < 50:
                got += flood.recv(1 << 18)
    assert told(s.weir, failed.headers["x-weir-request-id"])["answer"]["status"] == 500


def test_nothing_is_kept_when_it_is_off(start):
    s = start(weir={"explain": {"requests": 0}})
    reply = explain(s.weir, headers_of(converse(s.weir.boto()))["x-weir-request-id"])
    assert reply.status == 404 and "No request has been kept" in reply.json()["message"]


def test_the_command(plain):
    stream(plain.weir.boto(user_agent_appid="reader"))
    request_id = plain.weir.line(client="reader")["id"]
    url = f"http://127.0.0.1:{plain.weir.admin}"
    text = command("explain", "--url", url, request_id)
    assert text.returncode == 0, text.stderr
    sentences, figures = text.stdout.split("\nSteps, in seconds since it arrived:\n")
    assert "Client reader sent ConverseStream" in sentences and "Attempt 1 went to" in sentences
    assert "attempt  first" in figures and "Settlement, in tokens:" in figures
    as_json = command("explain", "--url", url, request_id, "--json")
    assert json.loads(as_json.stdout)["id"] == request_id
    unknown = command("explain", "--url", url, "unknown")
    assert unknown.returncode == 1 and "nothing is kept of request unknown" in unknown.stderr
    assert command("explain", "--url", url, "a/b").returncode == 2
    assert command("explain", "--url", "http://127.0.0.1:1", "x").returncode == 1
