"""Answers as a broken service, or a box in between, gives them: byte for byte from a scripted upstream."""

import binascii
import json
import socket
import struct
import time

import pytest
from harness import EAST, SONNET, WEST, Gateway, ask, say, wait_until
from scripted import OK, Endpoints, Scripted, answer, reset

BODY = json.dumps(say("hi")).encode()
pytestmark = pytest.mark.usefixtures("protocol")  # each over HTTP/1.1 and HTTP/2


class Pair:
    """weir before two scripted Regions; the second one is sound unless told otherwise."""

    def __init__(self, folder, first, second=None, **settings):
        self.east, self.west = Scripted(first), Scripted(second)
        merged = {
            "workers": 1,
            "queue": {"deadline": "3s"},
            "retry": {"base_delay": "10ms", "max_delay": "50ms", "max_attempts": 3},
            "timeouts": {"idle": "2s", "first_event": "2s", "answer": "2s", "connect": "1s"},
            **settings,
        }
        self.weir = Gateway(folder, Endpoints(us_east_1=self.east.port, us_west_2=self.west.port), merged)

    def __enter__(self):
        self.weir.__enter__()
        return self

    def __exit__(self, *_):
        self.weir.check_alive()
        self.weir.__exit__()
        self.east.close()
        self.west.close()

    def used(self):
        return {t["region"]: t for t in self.weir.status()["targets"]}


def one_region(folder, behave, **settings):
    routes = [{"model": SONNET, "targets": [{"region": EAST}]}]
    return Pair(folder, behave, routes=routes, **settings)


def cut(data):
    """Sends `data`, then resets."""

    def behave(connection, request):
        connection.sendall(data)
        time.sleep(0.05)
        reset(connection)

    return behave


def close_after(data):
    def behave(connection, request):
        connection.sendall(data)

    return behave


BROKEN = {
    "reset before anything": cut(b""),
    "reset within the head": cut(b"HTTP/1.1 200 OK\r\nContent-"),
    "closed before anything": close_after(b""),
    "closed within the body": close_after(answer(fields=["X: y"])[:-40]),
    "reset within the body": cut(answer()[:-40]),
    "both lengths": close_after(answer(fields=["Transfer-Encoding: chunked"])),
    "two lengths": close_after(answer(fields=["Content-Length: 5"])),
    "a negative length": close_after(answer(fields=["Content-Length: -1"], length=False)),
    "bare LF": close_after(answer().replace(b"\r\n", b"\n")),
    "a chunk size above 64 bits": close_after(
        answer(b"10000000000000005\r\nx\r\n0\r\n\r\n", fields=["Transfer-Encoding: chunked"], length=False)),
    "an endless head": close_after(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 50_000),
    "not HTTP": close_after(b"SSH-2.0-OpenSSH_9.2\r\n"),
    "HTTP/2": close_after(b"\0\0\x12\4\0\0\0\0\0" + bytes(18)),
    "a page of HTML": close_after(answer(b"<html>Bad gateway</html>", "502 Bad Gateway", length=True)),
    "a status of 600": close_after(answer(status="600 What")),
    "misdirected": close_after(answer(b"{}", "421 Misdirected Request")),
}


# The model has done its work and it has been charged for: to ask again would charge twice.
PAID_FOR = {"closed within the body", "reset within the body", "a chunk size above 64 bits"}


@pytest.mark.parametrize("name", sorted(PAID_FOR))
def test_an_answer_that_breaks_off_is_not_asked_for_twice(tmp_path, name):
    with Pair(tmp_path, BROKEN[name]) as pair:
        reply = pair.weir.converse()
        assert (reply.status, reply.error) == (503, "ServiceUnavailableException")
        assert (len(pair.east.requests), len(pair.west.requests)) == (1, 0)


@pytest.mark.parametrize("name", sorted(BROKEN.keys() - PAID_FOR))
def test_the_other_region_answers_instead(tmp_path, name):
    with Pair(tmp_path, BROKEN[name]) as pair:
        reply = pair.weir.converse()
        if name == "misdirected":  # the caller's error as far as anyone can tell: it comes back as it is
            assert reply.status in (200, 421)
            return
        assert reply.status == 200 and reply.body == OK, (reply.status, reply.body)
        assert reply.headers["x-weir-target"].startswith(WEST)
        assert len(pair.west.requests) == 1, "one answer, once paid for"


@pytest.mark.parametrize("name", BROKEN)
def test_with_nowhere_else_the_error_is_bedrocks_own(tmp_path, name):
    with one_region(tmp_path, BROKEN[name]) as pair:
        reply = pair.weir.converse()
        if name != "misdirected":
            assert reply.status in (500, 502, 503, 504), (reply.status, reply.body)
            assert reply.error.endswith("Exception"), reply.headers
            assert "html" not in reply.json()["message"].lower()
        assert 1 <= len(pair.east.requests) <= 4
        wait_until(lambda: pair.weir.status()["waiting_calls"] == 0, 5)


SOUND = {
    "100 before": b"HTTP/1.1 100 Continue\r\n\r\n" + answer(),
    "103 before": b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + answer(),
    "many 1xx": b"HTTP/1.1 102 Processing\r\n\r\n" * 10 + answer(),
    "chunked": answer(b"%x\r\n%s\r\n0\r\n\r\n" % (len(OK), OK), fields=["Transfer-Encoding: chunked"], length=False),
    "chunked with a trailer": answer(b"%x;a=b\r\n%s\r\n0\r\nX: y\r\n\r\n" % (len(OK), OK),
                                     fields=["Transfer-Encoding: chunked"], length=False),
}


@pytest.mark.parametrize("name", SOUND)
def test_what_http_allows_is_understood(tmp_path, name):
    with one_region(tmp_path, lambda connection, request: SOUND[name]) as pair:
        for _ in range(3):
            reply = pair.weir.converse()
            assert (reply.status, reply.body) == (200, OK), (reply.status, reply.body)


def test_an_answer_may_end_with_its_connection(tmp_path):
    data = answer(length=False, fields=["Connection: close"])
    with one_region(tmp_path, close_after(data)) as pair:
        reply = pair.weir.converse()
        assert (reply.status, reply.body) == (200, OK)


@pytest.mark.parametrize("usage", [
    '{"inputTokens":-5,"outputTokens":-7,"totalTokens":0}', '{"inputTokens":"12","outputTokens":"7"}', "null", "[]", "{}",
    '{"inputTokens":1e999}', '{"inputTokens":3,"inputTokens":4,"outputTokens":2}', '{"inputTokens":18446744073709551615}',
    '{"inputTokens":9000000000000000000,"outputTokens":9000000000000000000}', '{"inputTokens":3.7,"outputTokens":2}',
])
def test_a_wrong_usage_settles_by_estimate(tmp_path, usage):
    body = OK.replace(b'{"inputTokens":3,"outputTokens":2,"totalTokens":5}', usage.encode())
    quotas = [{"model": SONNET, "region": EAST, "requests_per_minute": 1000, "tokens_per_minute": 1_000_000}]
    with one_region(tmp_path, lambda c, r: answer(body), quotas=quotas) as pair:
        for _ in range(3):
            reply = pair.weir.converse()
            assert (reply.status, reply.body) == (200, body), "the answer is the service's, as it is"
        metrics = pair.weir.metrics()
        assert metrics.sum("weir_quota_used", kind="tokens") >= 0
        for name, _, value in metrics.samples:
            assert value >= 0 and value == value, (name, value)


def frame(kind, payload, message_type="event", spoil=None):
    headers = b""
    for name, value in ((":event-type" if message_type == "event" else ":exception-type", kind),
                        (":content-type", "application/json"), (":message-type", message_type)):
        headers += bytes([len(name)]) + name.encode() + b"\7" + struct.pack(">H", len(value)) + value.encode()
    total = 16 + len(headers) + len(payload)
    prelude = struct.pack(">II", total, len(headers))
    crc = binascii.crc32(prelude)
    message = prelude + struct.pack(">I", crc ^ (1 if spoil == "prelude" else 0)) + headers + payload
    if spoil == "length":
        return struct.pack(">I", 0xFFFFFF0) + message[4:] + bytes(4)
    return message + struct.pack(">I", binascii.crc32(message) ^ (1 if spoil == "message" else 0))


START = frame("messageStart", b'{"role":"assistant"}')
DELTA = frame("contentBlockDelta", b'{"contentBlockIndex":0,"delta":{"text":"hello"}}')
STOP = frame("messageStop", b'{"stopReason":"end_turn"}')
META = frame("metadata", b'{"usage":{"inputTokens":3,"outputTokens":2,"totalTokens":5},"metrics":{"latencyMs":1}}')


EVENT_STREAM = (b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.amazon.eventstream\r\n"
                b"Transfer-Encoding: chunked\r\n\r\n")


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data) if data else b""


def streamed(*frames):
    return EVENT_STREAM + chunk(b"".join(frames)) + b"0\r\n\r\n"


def converse_stream(weir):
    return weir.ask("POST", f"/model/{SONNET}/converse-stream", BODY)


@pytest.mark.parametrize("spoil", ["prelude", "message", "length"])
def test_a_spoilt_frame_before_content_is_not_seen(tmp_path, spoil):
    bad = streamed(frame("messageStart", b'{"role":"assistant"}', spoil=spoil))
    good = streamed(START, DELTA, STOP, META)
    with Pair(tmp_path, lambda c, r: bad, lambda c, r: good) as pair:
        reply = converse_stream(pair.weir)
        assert reply.status == 200 and reply.body == START + DELTA + STOP + META


@pytest.mark.parametrize("spoil", ["prelude", "message", "length"])
def test_a_spoilt_frame_after_content_ends_the_stream_with_a_typed_event(tmp_path, spoil):
    spoilt = frame("contentBlockDelta", b"{}", spoil=spoil) + STOP

    def behave(connection, request):
        connection.sendall(EVENT_STREAM + chunk(START + DELTA))
        time.sleep(0.3)
        return chunk(spoilt) + b"0\r\n\r\n"

    with Pair(tmp_path, behave) as pair:
        reply = converse_stream(pair.weir)
        assert reply.status == 200 and reply.body.startswith(START + DELTA)
        assert b":exception-type" in reply.body and b"end_turn" not in reply.body
        assert len(pair.east.requests) + len(pair.west.requests) == 1, "nothing is repeated after content"


@pytest.mark.parametrize("frames", [(), (START,)], ids=["nothing", "no content"])
def test_a_stream_without_content_is_tried_again(tmp_path, frames):
    good = streamed(START, DELTA, STOP, META)
    with Pair(tmp_path, lambda c, r: streamed(*frames), lambda c, r: good) as pair:
        reply = converse_stream(pair.weir)
        assert reply.status == 200 and reply.body == START + DELTA + STOP + META


def test_a_stream_without_its_end_is_flagged(tmp_path):
    with Pair(tmp_path, lambda c, r: streamed(START, DELTA)) as pair:
        reply = converse_stream(pair.weir)
        assert reply.body.startswith(START + DELTA) and b":exception-type" in reply.body
        assert pair.weir.line(operation="ConverseStream", outcome="broken_stream")


@pytest.mark.parametrize("after", ["the head", "an event"])
def test_a_stream_that_stalls_is_cut_with_a_typed_event(tmp_path, after):
    def behave(connection, request):
        connection.sendall(EVENT_STREAM + (chunk(START + DELTA) if after == "an event" else b""))
        time.sleep(5)

    began = time.monotonic()
    with Pair(tmp_path, behave, lambda c, r: streamed(START, DELTA, STOP, META),
              timeouts={"idle": "500ms", "first_event": "500ms", "connect": "1s"}) as pair:
        reply = converse_stream(pair.weir)
        assert reply.status == 200 and time.monotonic() - began < 4
        if after == "an event":
            assert reply.body.startswith(START + DELTA) and b":exception-type" in reply.body
            assert pair.weir.line(operation="ConverseStream", outcome="broken_stream")
        else:
            assert reply.body == START + DELTA + STOP + META
        assert len(pair.west.requests) == (0 if after == "an event" else 1)


def test_a_slow_503_leaves_time_for_the_other_region(tmp_path):
    def behave(connection, request):
        time.sleep(1)
        return answer(b'{"message":"slow"}', "503 Service Unavailable")

    with Pair(tmp_path, behave, timeouts={"first_event": "300ms", "answer": "20s"},
              queue={"deadline": "5s"}) as pair:
        assert pair.weir.converse().headers["x-weir-target"].startswith(WEST)
        pair.west.behave = lambda c, r: streamed(START, DELTA, STOP, META)
        began = time.monotonic()
        assert converse_stream(pair.weir).body == START + DELTA + STOP + META
        assert time.monotonic() - began < 0.9, "a stream need not wait for it"


def test_a_whole_answer_that_never_comes_is_not_paid_for_twice(tmp_path):
    with Pair(tmp_path, lambda c, r: time.sleep(5), timeouts={"answer": "500ms"}) as pair:
        began = time.monotonic()
        reply = pair.weir.converse()
        assert (reply.status, reply.error) == (503, "ServiceUnavailableException")
        assert time.monotonic() - began < 3
        assert (len(pair.east.requests), len(pair.west.requests)) == (1, 0)


def test_usage_far_above_the_reservation_is_booked_and_bounded(tmp_path):
    body = OK.replace(b'"inputTokens":3', b'"inputTokens":300000')
    quotas = [{"model": SONNET, "region": EAST, "requests_per_minute": 1000, "tokens_per_minute": 200_000}]
    with one_region(tmp_path, lambda c, r: answer(body), quotas=quotas, queue={"deadline": "1s"}) as pair:
        assert pair.weir.converse().status == 200
        used = pair.weir.metrics().sum("weir_quota_used", kind="tokens")
        assert used >= 200_000, "what was used is used, though nobody had reserved it"
        refused = pair.weir.converse("something else")
        assert (refused.status, refused.error) == (429, "ThrottlingException")
        assert len(pair.east.requests) == 1


def test_an_exception_frame_goes_through_byte_for_byte(tmp_path):
    word = frame("modelStreamErrorException", b'{"message":"spoilt"}', message_type="exception")
    with Pair(tmp_path, lambda c, r: streamed(START, DELTA, word)) as pair:
        assert converse_stream(pair.weir).body == START + DELTA + word
        assert pair.weir.line(operation="ConverseStream", outcome="broken_stream")


def test_frames_may_come_a_byte_at_a_time(tmp_path):
    data = START + DELTA + STOP + META

    def behave(connection, request):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(EVENT_STREAM)
        for i in range(len(data)):
            connection.sendall(chunk(data[i : i + 1]))
        return b"0\r\n\r\n"

    with Pair(tmp_path, behave) as pair:
        assert converse_stream(pair.weir).body == data


def test_a_region_that_never_shakes_hands_is_given_up(tmp_path):
    silent = Scripted(lambda connection, request: time.sleep(60))
    good = Scripted()
    endpoints = Endpoints(us_east_1=silent.port, us_west_2=good.port)
    settings = {
        "regions": {EAST: {"endpoint": f"https://localhost:{silent.port}"}, WEST: {"endpoint": f"http://127.0.0.1:{good.port}"}},
        "timeouts": {"connect": "500ms"},
    }
    with Gateway(tmp_path, endpoints, settings) as weir:
        reply = weir.converse()
        assert reply.status == 200 and reply.headers["x-weir-target"].startswith(WEST)
    silent.close()
    good.close()


def test_a_name_that_has_no_address_costs_nothing_but_its_region(tmp_path):
    good = Scripted()
    settings = {"regions": {EAST: {"endpoint": "http://nowhere.invalid:80"}, WEST: {"endpoint": f"http://127.0.0.1:{good.port}"}}}
    with Gateway(tmp_path, Endpoints(us_east_1=1, us_west_2=good.port), settings) as weir:
        for _ in range(3):
            reply = weir.converse()
            assert reply.status == 200 and reply.headers["x-weir-target"].startswith(WEST)
        wait_until(lambda: f"no connection to {EAST}: its name was not resolved" in weir.log(), 5, "the reason in the log")
    good.close()
