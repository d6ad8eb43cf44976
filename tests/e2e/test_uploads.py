"""Bodies that are slow, greedy, or of nobody: what a head can prove is checked before weir reads them, and no client
holds what the others need."""

import json
import socket
import time

import pytest
from harness import SONNET, Gateway, Stack, say, wait_until
from scripted import Endpoints, Scripted

PATH = f"/model/{SONNET}/converse"
BODY = json.dumps(say("hi")).encode()


def begin(port, *fields, length):
    connection = socket.create_connection(("127.0.0.1", port), timeout=15)
    lines = [f"POST {PATH} HTTP/1.1", "Host: localhost", f"Content-Length: {length}", *fields]
    connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n")
    return connection


def answer_of(connection):
    got = b""
    while block := connection.recv(65536):
        got += block
    return got


@pytest.fixture
def upstream():
    peer = Scripted()
    yield peer
    peer.close()


def start(tmp_path, upstream, **settings):
    return Gateway(tmp_path, Endpoints(us_east_1=upstream.port), {"routes": None, **settings})


def test_a_quick_start_buys_no_stall(tmp_path, upstream):
    with start(tmp_path, upstream, timeouts={"client_head": "1s"}) as weir:
        with begin(weir.port, length=10_000_000) as connection:
            connection.sendall(b" " * 60_000)  # on average enough for a minute
            began = time.monotonic()
            answer = answer_of(connection)
            assert answer.startswith(b"HTTP/1.1 408 ")
            assert time.monotonic() - began < 12
        line = weir.line(status=408)
        assert line["outcome"] == "client_error"
        assert f"x-weir-request-id: {line['id']}\r\n".encode() in answer


def test_one_clients_bodies_leave_room_for_anothers(tmp_path, upstream):
    limits = {"max_body": "400KiB", "max_buffered": "1MiB"}
    with start(tmp_path, upstream, limits=limits) as weir:
        held = []
        for _ in range(10):
            connection = begin(weir.port, "x-weir-client: greedy", length=200_000)
            connection.sendall(b" " * 150_000)
            connection.settimeout(0.5)
            try:
                refused = connection.recv(1000)
            except TimeoutError:
                held.append(connection)
                continue
            assert refused.startswith(b"HTTP/1.1 503 ") and b"share of it" in refused
            break
        else:
            raise AssertionError("one client may hold all")
        assert 2 <= len(held) <= 6
        large = json.dumps(say("x" * 100_000)).encode()
        reply = weir.ask("POST", PATH, large, {"x-weir-client": "another"})
        assert reply.status == 200, reply.body
        for connection in held:
            connection.close()


def test_what_a_head_proves_is_checked_before_the_body():
    from test_signed_clients import CLIENTS, signed
    from test_signed_clients import PATH as SIGNED

    with Stack(weir={"clients": CLIENTS}) as stack:
        weir = stack.weir
        huge = "Content-Length: 8000000"

        def refused(headers):
            fields = [f"{name}: {value}" for name, value in headers.items() if name.lower() not in ("host", "content-length")]
            with socket.create_connection(("127.0.0.1", weir.port), timeout=15) as connection:
                lines = [f"POST {SIGNED} HTTP/1.1", f"Host: 127.0.0.1:{weir.port}", huge, "Expect: 100-continue", *fields]
                connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n")
                got = connection.recv(65536)
                return got.split(b"\r\n")[0]

        assert refused({}) == b"HTTP/1.1 403 Forbidden"
        assert refused({"Authorization": "Bearer weir_nobody"}) == b"HTTP/1.1 403 Forbidden"
        assert refused(signed(weir, off=-600)) == b"HTTP/1.1 403 Forbidden"
        assert refused(signed(weir, key="AKIDNOBODY")) == b"HTTP/1.1 403 Forbidden"
        assert refused(signed(weir, service="s3")) == b"HTTP/1.1 403 Forbidden"
        digest = {"x-amz-content-sha256": "0" * 64}
        assert refused(signed(weir, headers=digest, secret="wrong")) == b"HTTP/1.1 403 Forbidden"
        assert refused(signed(weir, headers={"x-amz-content-sha256": "UNSIGNED-PAYLOAD"})) == b"HTTP/1.1 403 Forbidden"
        # A head that can be right is asked for its body; the body has to be the one it names.
        assert refused(signed(weir)) == b"HTTP/1.1 100 Continue"
        assert refused(signed(weir, headers=digest)) == b"HTTP/1.1 100 Continue"
        lied = weir.ask("POST", SIGNED, BODY, signed(weir, headers=digest))
        assert (lied.status, lied.error) == (403, "InvalidSignatureException")


def test_the_type_that_is_signed_is_the_type_that_is_sent(tmp_path, upstream):
    with start(tmp_path, upstream) as weir:
        for fields in (
            ["Content-Type: application/json", "Content-Type: text/plain"],
            ["Content-Type: application/json", "Connection: Content-Type"],
            ["Content-Type: application/json", "X-Amzn-Bedrock-Trace: ENABLED", "X-Amzn-Bedrock-Trace: DISABLED"],
        ):
            with begin(weir.port, *fields, length=len(BODY)) as connection:
                connection.sendall(BODY)
                assert connection.recv(65536).startswith(b"HTTP/1.1 400 ")
        assert not upstream.requests
        assert weir.converse().status == 200


def test_what_an_upstream_says_unasked_is_nobodys_answer(tmp_path):
    import threading

    from scripted import answer

    received, spoken = threading.Semaphore(0), threading.Semaphore(0)

    def behave(connection, request):
        connection.sendall(answer())
        received.acquire()
        connection.sendall(answer(b'{"stale":true}'))
        spoken.release()
        return b""

    peer = Scripted(behave)
    try:
        with start(tmp_path, peer) as weir:
            for i in range(6):
                reply = weir.converse(headers={"x-weir-client": f"c{i % 2}"})
                assert reply.status == 200 and b"stale" not in reply.body
                received.release()
                assert spoken.acquire(timeout=10)  # on loopback it is with weir now
                time.sleep(0.05 * (i % 2))  # seen by its loop, or maybe not yet
    finally:
        peer.close()


def resident(process):
    for line in open(f"/proc/{process.popen.pid}/status"):
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmRSS")


def test_answers_that_a_client_leaves_with_weir_count(tmp_path):
    from http2_client import Http2
    from scripted import answer

    text = "x" * 900_000
    body = json.dumps({
        "output": {"message": {"role": "assistant", "content": [{"text": text}]}}, "stopReason": "end_turn",
        "usage": {"inputTokens": 3, "outputTokens": 2, "totalTokens": 5}, "metrics": {"latencyMs": 1},
    }).encode()
    peer = Scripted(lambda connection, request: answer(body))
    try:
        with start(tmp_path, peer, limits={"max_body": "1MiB", "max_buffered": "4MiB"}) as weir:
            assert weir.converse().status == 200
            before = resident(weir)
            with Http2(weir.port, window=0, reads=False) as greedy:
                for _ in range(80):
                    greedy.ask(PATH, BODY, headers=[("content-type", "application/json"), ("x-weir-client", "greedy")])
                wait_until(lambda: len(peer.requests) == 81, what="the requests' arrival")
                sizes = [0, 1]
                while sizes[-1] != sizes[-2]:  # until nothing moves
                    time.sleep(0.3)
                    sizes.append(resident(weir) >> 18)
                assert resident(weir) - before < 40 << 20  # 72 MB of answers
                large = json.dumps(say("x" * 100_000)).encode()
                assert weir.ask("POST", PATH, large, {"x-weir-client": "another"}).status == 200
    finally:
        peer.close()
