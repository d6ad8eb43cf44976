"""HTTP as people and machines get it wrong."""

import gzip
import json
import socket
import time

import pytest
from harness import SONNET, raw, say, wait_until

PATH = f"/model/{SONNET}/converse"
BODY = json.dumps(say("hi")).encode()


@pytest.fixture(scope="module")
def strict():
    from harness import Stack

    with Stack(weir={"timeouts": {"client_head": "1s"}, "limits": {"max_body": "64KiB"}}) as stack:
        yield stack


def post(*fields, body=BODY, path=PATH, length=True):
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", *fields]
    if length:
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


def status(answer):
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else None


def test_a_slow_head_is_given_up(strict):
    before = time.monotonic()
    answer = raw(strict.weir.port, b"POST /model", timeout=8)
    assert status(answer) == 408 or answer == b""
    assert status(answer) == 408
    assert time.monotonic() - before < 5


def test_an_oversize_body_is_refused_with_its_type(strict):
    reply = strict.weir.converse("x" * 100_000)
    assert (reply.status, reply.error) == (413, "ValidationException")
    chunk = b"x" * 70_000
    body = f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n0\r\n\r\n"
    answer = raw(strict.weir.port, post("Transfer-Encoding: chunked", body=body, length=False), until_close=False)
    assert status(answer) == 413


def test_a_compressed_body_is_refused(strict):
    reply = strict.weir.ask("POST", PATH, gzip.compress(BODY), {"Content-Encoding": "gzip"})
    assert (reply.status, reply.error) == (415, "ValidationException")


def test_a_chunked_body_is_taken(strict):
    body = f"{len(BODY):x}\r\n".encode() + BODY + b"\r\n0\r\n\r\n"
    assert status(raw(strict.weir.port, post("Transfer-Encoding: chunked", "Connection: close", body=body, length=False))) == 200


def test_expect_is_answered(strict):
    with socket.create_connection(("127.0.0.1", strict.weir.port), timeout=10) as s:
        s.sendall(post("Expect: 100-continue", f"Content-Length: {len(BODY)}", "Connection: close", body=b"", length=False))
        first = s.recv(1000)
        assert first.startswith(b"HTTP/1.1 100 ")
        s.sendall(BODY)
        rest = first.split(b"\r\n\r\n", 1)[1]
        while block := s.recv(65536):
            rest += block
    assert status(rest) == 200


def test_expect_is_not_answered_for_what_will_be_refused(strict):
    answer = raw(strict.weir.port, post("Expect: 100-continue", "Content-Length: 999999", body=b"", length=False), 3, False)
    assert status(answer) == 413


def test_another_expectation_fails(strict):
    assert status(raw(strict.weir.port, post("Expect: miracles"), until_close=False)) == 417


@pytest.mark.parametrize("request_", [
    post("Content-Length: 5", "Transfer-Encoding: chunked", length=False),
    post("Content-Length: 5"),
    post("Content-Length: +5", length=False),
    post("Transfer-Encoding: gzip, chunked", length=False),
    post("Folded: a\r\n b"),
    post("Space : a"),
    post("Nul: a\0b"),
    post().replace(b"\r\n", b"\n"),
    post("Host: other"),
    post(path="/a b"),
    b"\r\n\r\nnonsense\r\n\r\n",
    b"GET / HTTP/3.0\r\nHost: localhost\r\n\r\n",
    b"G" * 100_000,
    post("Big: " + "x" * 100_000),
], ids=["both-lengths", "two-lengths", "plus", "te-gzip", "fold", "space", "nul", "bare-lf", "two-hosts",
        "bad-target", "nonsense", "version", "long-method", "big-head"])
def test_what_is_ambiguous_is_refused(strict, request_):
    arrived = strict.sim.arrived()
    answer = raw(strict.weir.port, request_, timeout=4)
    assert answer == b"" or 400 <= status(answer) < 600 and answer.count(b"HTTP/1.1 ") == 1, answer[:200]
    assert strict.sim.arrived() == arrived
    strict.weir.check_alive()


def test_one_connection_serves_many_requests(strict):
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", strict.weir.port, timeout=10)
    for _ in range(5):
        connection.request("POST", PATH, BODY)
        reply = connection.getresponse()
        assert reply.status == 200
        reply.read()
    connection.close()


def test_pipelined_requests_are_answered_in_order(strict):
    answer = raw(strict.weir.port, post() + post() + post("Connection: close"), timeout=10)
    assert answer.count(b"HTTP/1.1 200 ") == 3


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe", b"{}{}", b"[" * 60_000])
def test_bad_bodies_are_validation_errors(strict, body):
    reply = strict.weir.ask("POST", PATH, body)
    assert (reply.status, reply.error) == (400, "ValidationException"), reply.body


@pytest.mark.parametrize("value", ["-1", "0", "NaN", "1e3", "", "99999999999999999999"])
def test_a_bad_deadline_is_refused(strict, value):
    reply = strict.weir.converse(headers={"x-weir-deadline-ms": value})
    assert (reply.status, reply.error) == (400, "ValidationException")
