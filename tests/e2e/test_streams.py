"""Many streams at once, and clients that leave."""

import http.client
import json
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest
from harness import EAST, SONNET, Gateway, say, stream, text_of, wait_until
from scripted import Endpoints, Scripted


def leave_after(weir, path, body, read=0):
    """Sends a request, reads `read` bytes of its answer and goes."""
    connection = http.client.HTTPConnection("127.0.0.1", weir.port, timeout=20)
    connection.request("POST", path, json.dumps(body))
    if read:
        connection.getresponse().read(read)
    return connection


def test_fifty_streams_at_once(plain):
    client = plain.weir.boto(max_pool_connections=50)
    text = "[[output=100]] [[rate=100]] hi"
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: stream(client, text), range(50)))
    assert len(answers) == 50
    for events in answers:
        assert "messageStop" in events[-2] and events[-1]["metadata"]["usage"]["outputTokens"] == 100
    assert plain.sim.truth(key="max_in_flight") >= 10


def test_events_come_as_they_are_made(plain):
    import time

    client = plain.weir.boto()
    times = []
    body = client.converse_stream(modelId=SONNET, **say("[[output=40]] [[rate=40]]"))
    for _ in body["stream"]:
        times.append(time.monotonic())
    assert times[-1] - times[0] > 0.5, "a stream is not gathered up first"


def test_leaving_a_stream_cancels_it_upstream(plain):
    before = plain.sim.truth(key="cancelled")
    connection = leave_after(
        plain.weir, f"/model/{SONNET}/converse-stream", say("[[output=5000]] [[rate=50]]", 6000), read=200
    )
    connection.close()
    wait_until(lambda: plain.sim.truth(key="cancelled") == before + 1, 5, "the cancellation upstream")
    assert plain.weir.line(outcome="cancelled", operation="ConverseStream")["stream"] is True
    wait_until(lambda: plain.weir.status()["in_flight"] == 0, 5, "no call in flight")


def test_leaving_before_the_answer_cancels_it_upstream(plain):
    before = plain.sim.truth(key="cancelled")
    connection = leave_after(plain.weir, f"/model/{SONNET}/converse", say("[[ttft=20s]]"))
    wait_until(lambda: plain.sim.truth(key="in_flight") == 1, 5, "the call at the simulator")
    connection.close()
    wait_until(lambda: plain.sim.truth(key="cancelled") == before + 1, 5, "the cancellation upstream")
    assert plain.weir.line(outcome="cancelled", operation="Converse")["attempts"] == 1


def test_leaving_the_queue_sends_nothing(start):
    quota = {"model": SONNET, "requests_per_minute": 2, "tokens_per_minute": 1_000_000}
    s = start(weir={
        "quotas": [quota], "quota_window": "20s", "queue": {"deadline": "50s"},
        "routes": [{"model": SONNET, "targets": [{"region": EAST}]}],
    })
    assert s.weir.converse().status == 200  # 2 a minute less the head-room
    waiting = [leave_after(s.weir, f"/model/{SONNET}/converse", say("hi")) for _ in range(3)]
    wait_until(lambda: s.weir.status()["waiting_calls"] >= 2, 5, "calls in the queue")
    arrived = s.sim.arrived()
    for connection in waiting:
        connection.close()
    wait_until(lambda: s.weir.status()["waiting_calls"] == 0, 5, "an empty queue")
    assert s.sim.arrived() == arrived
    assert s.weir.line(outcome="cancelled")["attempts"] in (0, 1)


def test_a_slow_reader_holds_up_nobody(plain):
    body = json.dumps(say("[[output=50000]] [[rate=1000000]]", 60000)).encode()
    request = (
        f"POST /model/{SONNET}/converse-stream HTTP/1.1\r\nHost: localhost\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body
    with socket.create_connection(("127.0.0.1", plain.weir.port)) as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.sendall(request)
        slow.recv(1000)
        client = plain.weir.boto()
        for _ in range(5):
            assert text_of(stream(client))


CHAT = [
    {"choices": [{"index": 0, "delta": {"content": "hi"}, "finish_reason": None}]},
    {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
    {"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 2}},
]


def sse(event, name=""):
    return (f"event: {name}\n" if name else "") + f"data: {json.dumps(event)}\n\n"


ENDS = {
    "/v1/chat/completions": "".join(map(sse, CHAT)) + "data: [DONE]\n",
    "/v1/responses": sse({"type": "response.output_text.delta", "delta": "hi"}, "response.output_text.delta")
    + sse(
        {"type": "response.completed", "response": {"id": "r", "usage": {"input_tokens": 5, "output_tokens": 2}}},
        "response.completed",
    ).rstrip("\n"),
    "/anthropic/v1/messages": sse({"type": "message_start", "message": {"usage": {"input_tokens": 5}}}, "message_start")
    + sse({"type": "content_block_delta", "delta": {"type": "text_delta", "text": "hi"}}, "content_block_delta")
    + sse({"type": "message_delta", "delta": {}, "usage": {"output_tokens": 2}}, "message_delta")
    + sse({"type": "message_stop"}, "message_stop").rstrip("\n"),
}


@pytest.mark.parametrize("path", ENDS)
def test_a_last_event_without_its_blank_line_is_an_event(tmp_path, protocol, path):
    body = ENDS[path].encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    upstream = Scripted(lambda connection, request: head + body)
    asked = {"model": SONNET, "max_tokens": 9, "stream": True, "messages": [], "stream_options": {"include_usage": True}}
    try:
        with Gateway(tmp_path, Endpoints(us_east_1=upstream.port)) as weir:
            reply = weir.ask("POST", path, asked)
            assert reply.body == body + b"\n\n"
            line = weir.line(status=200)
            assert (line["outcome"], line["input"], line["output"]) == ("ok", 5, 2)
            assert len(upstream.requests) == 1
    finally:
        upstream.close()


def test_an_event_of_some_mib_goes_through_once(tmp_path, protocol):
    event = {"choices": [{"index": 0, "delta": {"content": "x" * 3_000_000}, "finish_reason": None}]}
    body = (sse(event) + "".join(map(sse, CHAT[1:])) + "data: [DONE]\n\n").encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    upstream = Scripted(lambda connection, request: head + body)
    asked = {"model": SONNET, "stream": True, "messages": [], "stream_options": {"include_usage": True}}
    try:
        with Gateway(tmp_path, Endpoints(us_east_1=upstream.port)) as weir:
            reply = weir.ask("POST", "/v1/chat/completions", asked)
            assert reply.body == body
            assert len(upstream.requests) == 1
    finally:
        upstream.close()
