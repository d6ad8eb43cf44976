"""How long an attempt may take, what a client sees meanwhile, what is sent again and what is not."""

import http.client
import json
import socket
import threading
import time

import pytest
from harness import EAST, SONNET, TERM, WEST, Gateway, say, wait_until
from http2_client import Http2
from scripted import OK, Endpoints, Scripted, answer
from test_upstream_bytes import DELTA, EVENT_STREAM, META, START, STOP, Pair, chunk, frame, one_region, streamed

GOOD = streamed(START, DELTA, STOP, META)
SSE = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
STREAM = f"/model/{SONNET}/converse-stream"
MESSAGES = "/anthropic/v1/messages"
ASK = {"model": SONNET, "max_tokens": 9, "stream": True, "messages": [{"role": "user", "content": "hi"}]}
LONG = {"idle": "30s", "first_event": "30s", "answer": "30s", "connect": "5s"}


def event(name, **members):
    return f"event: {name}\ndata: {json.dumps({'type': name, **members})}\n\n".encode()


MESSAGE = event("message_start", message={"id": "m", "usage": {"input_tokens": 5, "output_tokens": 1}})
PING = event("ping")
TEXT = event("content_block_delta", index=0, delta={"type": "text_delta", "text": "hi"})
END = event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 2}) + event("message_stop")


def silent(connection, request):
    time.sleep(20)


def either(connection, request):
    return GOOD if b"-stream" in request.split(b"\r\n", 1)[0] else answer()


def breakers(weir):
    return {t["region"]: t["breaker"] for t in weir.status()["targets"]}


# ---- deadlines


@pytest.mark.usefixtures("protocol")
def test_a_silent_region_leaves_the_other_its_turn(tmp_path):
    with Pair(tmp_path, silent, either, queue={"deadline": "1500ms"}, timeouts=LONG) as pair:
        began = time.monotonic()
        reply = pair.weir.ask("POST", STREAM, say("hi"))
        assert reply.status == 200 and reply.body == START + DELTA + STOP + META
        assert reply.headers["x-weir-target"].startswith(WEST) and time.monotonic() - began < 5


@pytest.mark.usefixtures("protocol")
def test_a_whole_answer_goes_elsewhere_only_where_that_is_allowed(tmp_path):
    with Pair(tmp_path, silent, either, queue={"deadline": "900ms"}, timeouts=LONG,
              retry={"repeat_timeouts": True}) as pair:
        reply = pair.weir.converse()
        assert reply.status == 200 and reply.headers["x-weir-target"].startswith(WEST)


@pytest.mark.usefixtures("protocol")
@pytest.mark.parametrize("path", [f"/model/{SONNET}/converse", STREAM, f"/model/{SONNET}/count-tokens"])
def test_the_callers_deadline_ends_the_call_and_speaks_of_no_region(tmp_path, path):
    with one_region(tmp_path, silent, timeouts=LONG) as pair:
        for _ in range(6):  # more than open a breaker
            began = time.monotonic()
            reply = pair.weir.ask("POST", path, say("hi"), {"x-weir-deadline-ms": "300"})
            assert reply.status == 504 and time.monotonic() - began < 3, reply.body
            assert b"deadline" in reply.body
        assert pair.weir.line(outcome="deadline")
        assert len(pair.east.requests) == 6
        assert set(breakers(pair.weir).values()) <= {"closed"}


def test_the_callers_deadline_cuts_a_whole_answer_that_trickles(tmp_path):
    def behave(connection, request):
        data = answer()
        connection.sendall(data[:-20])
        time.sleep(20)

    with one_region(tmp_path, behave, timeouts=LONG) as pair:
        reply = pair.weir.converse(headers={"x-weir-deadline-ms": "300"})
        assert reply.status == 504


def test_the_callers_deadline_cuts_an_answer_too_large_to_hold(tmp_path):
    def behave(connection, request):
        data = answer(OK + b" " * 2_000_000)
        connection.sendall(data[:-20])
        time.sleep(20)

    with one_region(tmp_path, behave, timeouts=LONG) as pair:
        began = time.monotonic()
        with pytest.raises((http.client.HTTPException, OSError)):
            pair.weir.converse(headers={"x-weir-deadline-ms": "700"})
        assert time.monotonic() - began < 5
        assert pair.weir.line(outcome="deadline")
        assert set(breakers(pair.weir).values()) == {"closed"}


def test_the_deadline_holds_while_hands_are_shaken(tmp_path):
    mute = Scripted(silent)
    settings = {
        "regions": {EAST: {"endpoint": f"https://localhost:{mute.port}"}},
        "routes": [{"model": SONNET, "targets": [{"region": EAST}]}],
        "timeouts": LONG,
    }
    with Gateway(tmp_path, Endpoints(us_east_1=mute.port), settings) as weir:
        began = time.monotonic()
        reply = weir.converse(headers={"x-weir-deadline-ms": "400"})
        assert reply.status == 504 and time.monotonic() - began < 3
    mute.close()


def test_a_deadline_is_no_bound_to_content(tmp_path):
    def behave(connection, request):
        connection.sendall(EVENT_STREAM + chunk(START + DELTA))
        time.sleep(0.8)
        return chunk(STOP + META) + b"0\r\n\r\n"

    with one_region(tmp_path, behave, timeouts=LONG) as pair:
        reply = pair.weir.ask("POST", STREAM, say("hi"), {"x-weir-deadline-ms": "400"})
        assert reply.status == 200 and reply.body == START + DELTA + STOP + META


# ---- a sign of life before content


def thinking(opening, ping, rest, pings=6):
    def behave(connection, request):
        connection.sendall(opening)
        for _ in range(pings):
            time.sleep(0.1)
            connection.sendall(ping)
        return rest

    return behave


@pytest.mark.usefixtures("protocol")
def test_pings_reach_the_client_before_content(tmp_path):
    rest = chunk(TEXT + END) + b"0\r\n\r\n"
    held = threading.Event()

    def behave(connection, request):
        connection.sendall(SSE + chunk(MESSAGE + PING))
        held.wait(10)
        return rest

    with one_region(tmp_path, behave, timeouts={**LONG, "hold": "200ms"}) as pair:
        with Http2(pair.weir.port) as client:
            number = client.ask(MESSAGES, json.dumps(ASK).encode(), headers=[("content-type", "application/json")])
            stream = client.streams[number]
            assert client.until(lambda: stream.body == MESSAGE + PING)
            held.set()
            assert client.answer(number).body == MESSAGE + PING + TEXT + END
        held.clear()
        with socket.create_connection(("127.0.0.1", pair.weir.port), timeout=10) as s:
            body = json.dumps(ASK).encode()
            s.sendall(b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                      b"Connection: close\r\nContent-Length: %d\r\n\r\n%s" % (MESSAGES.encode(), len(body), body))
            got = b""
            while PING not in got:
                block = s.recv(65536)
                assert block
                got += block
            assert TEXT not in got
            held.set()
            while block := s.recv(65536):
                got += block
        assert got.count(MESSAGE) == 1 and TEXT in got and got.endswith(b"0\r\n\r\n")


@pytest.mark.usefixtures("protocol")
def test_the_head_alone_goes_out_where_nothing_may_yet(tmp_path):
    held = threading.Event()

    def behave(connection, request):
        connection.sendall(EVENT_STREAM)
        held.wait(10)
        return chunk(START + DELTA + STOP + META) + b"0\r\n\r\n"

    with one_region(tmp_path, behave, timeouts={**LONG, "hold": "200ms"}) as pair:
        with Http2(pair.weir.port) as client:
            number = client.ask(STREAM, json.dumps(say("hi")).encode())
            assert client.until(lambda: client.streams[number].status == 200)
            assert client.streams[number].body == b""
            held.set()
            assert client.answer(number).body == START + DELTA + STOP + META


@pytest.mark.usefixtures("protocol")
def test_another_attempt_is_possible_after_the_head_and_opens_nothing_twice(tmp_path):
    busy = frame("serviceUnavailableException", b'{"message":"busy"}', message_type="exception")
    first = thinking(EVENT_STREAM + chunk(START), b"", chunk(busy) + b"0\r\n\r\n")
    with Pair(tmp_path, first, either, timeouts={**LONG, "hold": "200ms"}) as pair:
        reply = pair.weir.ask("POST", STREAM, say("hi"))
        assert reply.status == 200 and reply.body == START + DELTA + STOP + META
        assert (len(pair.east.requests), len(pair.west.requests)) == (1, 1)


@pytest.mark.usefixtures("protocol")
@pytest.mark.parametrize("path, opening, error, word", [
    (STREAM, EVENT_STREAM + chunk(START),
     frame("throttlingException", b'{"message":"busy"}', message_type="exception"), b"throttlingException"),
    (MESSAGES, SSE + chunk(MESSAGE), event("error", error={"type": "invalid_request_error", "message": "no"}), b"event: error"),
])
def test_an_error_after_the_head_is_an_event_of_the_stream(tmp_path, path, opening, error, word):
    behave = thinking(opening, b"", chunk(error) + b"0\r\n\r\n")
    with one_region(tmp_path, behave, timeouts={**LONG, "hold": "200ms"}, queue={"deadline": "8s", "max_wait": "1s"}) as pair:
        reply = pair.weir.ask("POST", path, ASK if path == MESSAGES else say("hi"))
        assert reply.status == 200 and reply.body.count(word) == 1, reply.body
        assert b"text_delta" not in reply.body


# ---- sent once


def test_a_kept_connection_that_breaks_late_is_not_sent_again(tmp_path):
    calls = []

    def behave(connection, request):
        calls.append(1)
        if len(calls) == 2:
            time.sleep(1.5)
            return None
        return answer()

    with one_region(tmp_path, behave, timeouts=LONG, retry={"max_attempts": 1}) as pair:
        assert pair.weir.converse().status == 200
        assert pair.weir.converse().status == 503
        assert len(calls) == 2


@pytest.mark.parametrize("attempts, status", [(3, 200), (1, 503)])
def test_one_that_had_closed_is_replaced_and_the_attempt_counted(tmp_path, attempts, status):
    calls = []

    def behave(connection, request):
        calls.append(1)
        return None if len(calls) == 2 else answer()

    with one_region(tmp_path, behave, timeouts=LONG, retry={"max_attempts": attempts}) as pair:
        assert pair.weir.converse().status == 200
        reply = pair.weir.converse()
        assert reply.status == status
        assert reply.headers["x-weir-attempts"] == ("2" if attempts > 1 else "1")
        assert set(breakers(pair.weir).values()) == {"closed"}


def test_an_early_answer_to_an_upload_is_what_it_says(tmp_path):
    listener = socket.create_server(("127.0.0.1", 0))
    seen = []

    def serve():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            seen.append(connection.recv(4096))
            connection.sendall(answer(b'{"message":"too long"}', "413 Content Too Large", ["x-amzn-ErrorType: ValidationException"]))
            time.sleep(0.2)
            connection.close()  # with bytes unread: a reset

    threading.Thread(target=serve, daemon=True).start()
    port = listener.getsockname()[1]
    settings = {"routes": [{"model": SONNET, "targets": [{"region": EAST}]}], "timeouts": LONG}
    with Gateway(tmp_path, Endpoints(us_east_1=port), settings) as weir:
        reply = weir.converse("x" * 6_000_000)
        assert reply.status == 413 and b"too long" in reply.body
        assert len(seen) == 1
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


# ---- the client's own time


def request_bytes(path, body):
    return (f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n").encode() + body


def flood(connection, request):
    connection.sendall(EVENT_STREAM + chunk(START))
    large = frame("contentBlockDelta", b'{"contentBlockIndex":0,"delta":{"text":"%s"}}' % (b"x" * 100_000))
    for _ in range(400):
        connection.sendall(chunk(large))
    return chunk(STOP + META) + b"0\r\n\r\n"


def test_a_client_that_stalls_is_slow_and_no_region_is_blamed(tmp_path):
    with one_region(tmp_path, flood, timeouts={**LONG, "idle": "600ms"}) as pair:
        with socket.create_connection(("127.0.0.1", pair.weir.port), timeout=10) as s:
            s.sendall(request_bytes(STREAM, json.dumps(say("hi")).encode()))
            assert s.recv(1000)
            pair.weir.line(outcome="client_slow")
        with Http2(pair.weir.port, reads=False) as client:
            client.ask(STREAM, json.dumps(say("hi")).encode())
            wait_until(lambda: [x["outcome"] for x in pair.weir.lines()].count("client_slow") == 2, 10)
        assert set(breakers(pair.weir).values()) == {"closed"}
        wait_until(lambda: pair.weir.status()["in_flight"] == 0, 5)


def test_the_regions_clocks_stand_still_while_the_client_reads(tmp_path):
    with one_region(tmp_path, flood, timeouts={**LONG, "first_event": "1s", "answer": "1s"},
                    queue={"deadline": "1s", "max_wait": "500ms"}) as pair:
        with socket.create_connection(("127.0.0.1", pair.weir.port), timeout=10) as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            s.sendall(request_bytes(STREAM, json.dumps(say("hi")).encode()).replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
            got = 0
            for _ in range(5):  # longer in all than each of them
                time.sleep(0.4)
                got += len(s.recv(400_000))
            while block := s.recv(1 << 20):
                got += len(block)
        assert pair.weir.line(outcome="ok") and got > 30_000_000


# ---- what is held


def test_large_events_go_through_once(tmp_path):
    large = frame("contentBlockDelta", b'{"contentBlockIndex":0,"delta":{"text":"%s"}}' % (b"x" * 3_000_000))
    with one_region(tmp_path, lambda c, r: streamed(START, large, STOP, META)) as pair:
        reply = pair.weir.ask("POST", STREAM, say("hi"))
        assert reply.status == 200 and reply.body == START + large + STOP + META
        assert len(pair.east.requests) == 1


@pytest.mark.parametrize("opening, status", [(START, 503), (START + DELTA, 200)])
def test_what_is_too_large_to_hold_is_never_paid_twice(tmp_path, opening, status):
    large = frame("contentBlockDelta", b'{"contentBlockIndex":0,"delta":{"text":"%s"}}' % (b"x" * 6_000_000))
    with Pair(tmp_path, lambda c, r: streamed(opening, large, STOP, META), either,
              limits={"max_body": "1MiB", "max_buffered": "2MiB"}) as pair:
        reply = pair.weir.ask("POST", STREAM, say("hi"))
        assert reply.status == status and b"max_buffered" in reply.body
        assert (len(pair.east.requests), len(pair.west.requests)) == (1, 0)
        assert pair.weir.converse().status in (200, 503)  # what was held is free again
        assert set(breakers(pair.weir).values()) == {"closed"}


def test_a_begun_streams_request_is_given_back(tmp_path):
    done = threading.Event()

    def behave(connection, request):
        if b"-stream" not in request.split(b"\r\n", 1)[0]:
            return answer()
        connection.sendall(EVENT_STREAM + chunk(START + DELTA))
        done.wait(10)
        return chunk(STOP + META) + b"0\r\n\r\n"

    with one_region(tmp_path, behave, timeouts=LONG, limits={"max_body": "1MiB", "max_buffered": "1MiB"}) as pair:
        with Http2(pair.weir.port) as client:
            number = client.ask(STREAM, json.dumps(say("x" * 900_000)).encode())
            assert client.until(lambda: client.streams[number].body)
            assert pair.weir.converse("x" * 900_000).status == 200
            done.set()
            assert client.answer(number).ended


def test_answers_that_nobody_reads_are_bounded(tmp_path):
    large = answer(OK[:-1] + b',"x":"%s"}' % (b"x" * 900_000))
    with one_region(tmp_path, lambda c, r: large, timeouts=LONG,
                    limits={"max_body": "1MiB", "max_buffered": "2MiB"}) as pair:
        with Http2(pair.weir.port, window=0) as client:
            for _ in range(20):
                client.ask(f"/model/{SONNET}/converse", json.dumps(say("hi")).encode())
            wait_until(lambda: len(pair.east.requests) == 20, 10)
            assert pair.weir.converse().status == 200


# ---- the end of a drain


@pytest.mark.usefixtures("protocol")
@pytest.mark.parametrize("path, opening, word", [
    (STREAM, EVENT_STREAM + chunk(START + DELTA), b"serviceUnavailableException"),
    (MESSAGES, SSE + chunk(MESSAGE + TEXT), b"overloaded_error"),
    (f"/model/{SONNET}/converse", b"", None),
])
def test_what_outlives_the_drain_gets_its_typed_end(tmp_path, path, opening, word):
    def behave(connection, request):
        connection.sendall(opening)
        time.sleep(20)

    with one_region(tmp_path, behave, timeouts={**LONG, "drain_delay": "100ms", "drain": "300ms"}) as pair:
        replies = []
        asking = threading.Thread(
            target=lambda: replies.append(pair.weir.ask("POST", path, ASK if path == MESSAGES else say("hi"))))
        asking.start()
        wait_until(lambda: pair.east.requests, 5)
        time.sleep(0.2)
        pair.weir.signal(TERM)
        asking.join(10)
        assert pair.weir.popen.wait(10) == 0
        reply = replies[0]
        if word:
            assert reply.status == 200 and word in reply.body[-300:] and b"shutting down" in reply.body
        else:
            assert reply.status == 503 and b"shutting down" in reply.body
        assert pair.weir.line(outcome="drained")
        pair.weir.check_alive = lambda: None  # it has ended, as it should


# ---- the client leaves


LEAVING = {
    "waiting": (None, STREAM),
    "sent": (b"", STREAM),
    "held": (EVENT_STREAM + chunk(START), STREAM),
    "content": (EVENT_STREAM + chunk(START + DELTA), STREAM),
    "whole": (b"", f"/model/{SONNET}/converse"),
    "within a whole answer": (answer()[:-30], f"/model/{SONNET}/converse"),
}


@pytest.mark.parametrize("http2", [False, True], ids=["http1", "http2"])
@pytest.mark.parametrize("state", LEAVING)
def test_a_client_may_leave_at_any_time(tmp_path, state, http2):
    opening, path = LEAVING[state]

    def behave(connection, request):
        connection.sendall(opening or b"")
        time.sleep(10)

    quotas = [{"model": SONNET, "region": EAST, "requests_per_minute": 1 if state == "waiting" else 100,
               "tokens_per_minute": 1_000_000}]
    with one_region(tmp_path, behave, timeouts=LONG, quotas=quotas, queue={"deadline": "20s"}) as pair:
        if state == "waiting":
            pair.east.behave = lambda c, r: answer()
            assert pair.weir.converse().status == 200
        body = json.dumps(say("hi")).encode()
        if http2:
            client = Http2(pair.weir.port)
            client.ask(path, body)
        else:
            client = socket.create_connection(("127.0.0.1", pair.weir.port), timeout=10)
            client.sendall(request_bytes(path, body))
        if state == "waiting":
            wait_until(lambda: pair.weir.status()["waiting_calls"] == 1, 5)
        else:
            wait_until(lambda: pair.east.requests, 5)
            time.sleep(0.1)
        client.close()
        line = pair.weir.line(outcome="cancelled")
        assert line["status"] in (499, 200)
        assert "no answer was made" not in pair.weir.log()
        status = wait_until(lambda: (s := pair.weir.status())["in_flight"] == s["waiting_calls"] == 0 and s, 5)
        assert status and set(breakers(pair.weir).values()) == {"closed"}
        assert pair.weir.metrics().sum("weir_requests_total", outcome="cancelled") == 1
