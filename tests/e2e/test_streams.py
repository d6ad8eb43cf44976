"""Many streams at once, and clients that leave."""

import http.client
import json
import socket
from concurrent.futures import ThreadPoolExecutor

from harness import EAST, SONNET, say, stream, text_of, wait_until


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
