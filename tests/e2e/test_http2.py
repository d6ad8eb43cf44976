"""HTTP/2 from clients: plain with prior knowledge, by ALPN with TLS, and what abuse costs."""

import json
import shutil
import socket
import ssl
import subprocess
import time

import pytest
import trustme
from harness import EAST, SONNET, TERM, Stack, raw, say, wait_until
from http2_client import Http2

from h2.errors import ErrorCodes

CONVERSE, STREAM = f"/model/{SONNET}/converse", f"/model/{SONNET}/converse-stream"
BODY = json.dumps(say("hi")).encode()
JSON = [("content-type", "application/json")]
curl = shutil.which("curl")
curl_speaks = curl and "HTTP2" in subprocess.run([curl, "--version"], capture_output=True, text=True).stdout
needs_curl = pytest.mark.skipif(not curl_speaks, reason="no curl that speaks HTTP/2")


@pytest.fixture(scope="module")
def limited():
    timeouts = {"client_head": "1s", "client_idle": "2s"}
    with Stack(weir={"timeouts": timeouts, "limits": {"max_body": "64KiB", "max_header": "16KiB"}}) as stack:
        yield stack


@pytest.fixture(scope="module")
def secure(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    certificate.private_key_and_cert_chain_pem.write_to_path(str(folder / "server.pem"))
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    context.set_alpn_protocols(["h2"])
    files = {"certificate": str(folder / "server.pem"), "key": str(folder / "server.pem")}
    with Stack(weir={"tls": files}) as stack:
        stack.context, stack.ca = context, str(folder / "ca.pem")
        yield stack


def ask_curl(*args, timeout=30):
    done = subprocess.run([curl, "-sS", "-w", "\n%{http_version} %{http_code}", *args], capture_output=True,
                          timeout=timeout)
    assert done.returncode == 0, done.stderr
    body, _, last = done.stdout.rpartition(b"\n")
    return body, last.decode()


@needs_curl
def test_curl_with_prior_knowledge(plain):
    url = plain.weir.url + CONVERSE
    body, last = ask_curl("--http2-prior-knowledge", "-d", BODY.decode(), url)
    assert last == "2 200" and json.loads(body)["output"]["message"]["content"]
    body, last = ask_curl("--http2-prior-knowledge", "-d", BODY.decode(), plain.weir.url + STREAM)
    assert last == "2 200" and b"messageStart" in body and b"metadata" in body


@needs_curl
def test_curl_without_it_stays_with_http1(plain):
    # Upgrade: h2c is RFC 7540's, and gone since RFC 9113: the request is served as it is.
    _, last = ask_curl("--http2", "-d", BODY.decode(), plain.weir.url + CONVERSE)
    assert last == "1.1 200"


@needs_curl
def test_alpn_gives_each_what_it_speaks(secure):
    url = f"https://localhost:{secure.weir.port}{CONVERSE}"
    for flag, version in (("--http2", "2"), ("--http1.1", "1.1"), ("--no-alpn", "1.1")):
        _, last = ask_curl(flag, "--cacert", secure.ca, "-d", BODY.decode(), url)
        assert last == f"{version} 200"


def test_the_start_up_line_says_https(secure):
    line = f"AWS_ENDPOINT_URL_BEDROCK_RUNTIME=https://127.0.0.1:{secure.weir.port}"
    wait_until(lambda: line in secure.weir.log(), what="the start-up line")


def test_streams_over_tls(secure):
    with Http2(secure.weir.port, tls=secure.context) as client:
        asked = [client.ask(STREAM, BODY, headers=JSON) for _ in range(20)]
        for number in asked:
            answer = client.answer(number)
            assert answer.status == 200 and b"metadata" in answer.body


def test_an_answer_has_the_same_fields(plain):
    with Http2(plain.weir.port) as client:
        answer = client.answer(client.ask(CONVERSE, BODY, headers=JSON))
    assert answer.status == 200 and json.loads(answer.body)["stopReason"]
    assert answer.headers["x-weir-target"] == f"{EAST}/{SONNET}"
    assert {"x-weir-request-id", "x-amzn-requestid", "x-weir-attempts", "date"} <= answer.headers.keys()
    assert not {"connection", "transfer-encoding", "keep-alive"} & answer.headers.keys()


def test_errors_keep_their_shape(limited):
    with Http2(limited.weir.port) as client:
        unknown = client.answer(client.ask("/nothing", BODY))
        assert (unknown.status, unknown.headers["x-amzn-errortype"]) == (404, "UnknownOperationException")
        bad = client.answer(client.ask(CONVERSE, b"{", headers=JSON))
        assert (bad.status, bad.headers["x-amzn-errortype"]) == (400, "ValidationException")
        large = client.answer(client.ask(CONVERSE, b"x" * 60_000 + b"y" * 5_600, headers=JSON))
        assert large.status == 413
        heavy = client.answer(client.ask(CONVERSE, headers=[("x-a", "a" * 20_000)]))
        assert heavy.status == 431 and "message" in json.loads(heavy.body)
        browser = client.answer(client.ask(CONVERSE, BODY, headers=[("origin", "http://evil.example")]))
        assert browser.status == 403


def test_a_broken_stream_is_not_a_clean_end(healthy):
    body = json.dumps(say("[[fault=mid_stream_reset]] [[output=60]]")).encode()
    with Http2(healthy.weir.port) as client:
        answer = client.answer(client.ask(STREAM, body, headers=JSON))
        assert answer.status == 200 and (answer.reset is not None or b"xception" in answer.body)
        assert b"messageStop" not in answer.body
        assert client.answer(client.ask(CONVERSE, BODY, headers=JSON)).status == 200


def test_a_client_that_leaves_cancels_its_upstream(plain):
    endless = json.dumps(say("[[output=5000]] [[rate=50]]", 5000)).encode()
    with Http2(plain.weir.port) as client:
        for leave in (lambda n: client.h2.reset_stream(n, ErrorCodes.CANCEL), lambda n: client.close()):
            before = plain.sim.truth(key="cancelled")
            number = client.ask(STREAM, endless, headers=JSON)
            assert client.until(lambda: len(client.streams[number].body) > 1000)
            leave(number)
            if client.socket.fileno() >= 0:
                client.flush()
            wait_until(lambda: plain.sim.truth(key="cancelled") == before + 1, 3, "the upstream's end")


def test_waiting_calls_leave_with_their_client(start):
    limits = {"requests_per_minute": 20, "tokens_per_minute": 1_000_000}
    s = start(weir={"quotas": [{"model": SONNET, **limits}], "quota_window": "20s",
                    "routes": [{"model": SONNET, "targets": [{"region": EAST}]}]})
    with Http2(s.weir.port) as client:
        numbers = [client.ask(CONVERSE, BODY, headers=JSON) for _ in range(40)]
        wait_until(lambda: s.weir.metrics().sum("weir_waiting") >= 20, what="the queue")
        for number in numbers:
            client.h2.reset_stream(number, ErrorCodes.CANCEL)
        client.flush()
        wait_until(lambda: s.weir.metrics().sum("weir_waiting") == 0, 3, "an empty queue")
        assert s.sim.arrived() <= 20, "one that had left was sent"


def test_drain_says_goaway_and_lets_streams_finish(start):
    s = start()
    slow = json.dumps(say("[[output=100]] [[rate=100]]")).encode()
    with Http2(s.weir.port) as client:
        number = client.ask(STREAM, slow, headers=JSON)
        assert client.until(lambda: client.streams[number].body)
        s.weir.signal(TERM)
        assert client.farewell() == ErrorCodes.NO_ERROR and client.last == number
        assert client.streams[number].ended and b"metadata" in client.streams[number].body
    assert s.weir.popen.wait(10) == 0


def test_rapid_reset_costs_no_upstream_call(plain):
    arrived = plain.sim.arrived()
    with Http2(plain.weir.port) as client:
        client.read()
        sent = b""
        for _ in range(1000):
            number = client.h2.get_next_available_stream_id()
            fields = [(":method", "POST"), (":scheme", "http"), (":path", CONVERSE), (":authority", "localhost")]
            client.h2.send_headers(number, fields + JSON)
            client.h2.send_data(number, BODY, end_stream=True)
            client.h2.reset_stream(number, ErrorCodes.CANCEL)
        sent = client.h2.data_to_send()
        client.socket.sendall(sent)
        assert client.farewell() == ErrorCodes.ENHANCE_YOUR_CALM
    # A triple that was cut between two reads may have started; hundreds may not.
    assert plain.sim.arrived() - arrived < 20
    assert plain.weir.converse().status == 200


SMUGGLED = {
    "crlf-in-value": [("a", "b\r\nx-weir-client: root")],
    "nul-in-value": [("a", "b\0c")],
    "upper-case": [("X-A", "b")],
    "connection": [("connection", "close")],
    "transfer-encoding": [("transfer-encoding", "chunked")],
    "te": [("te", "gzip")],
    "other-host": [("host", "elsewhere")],
    "two-lengths": [("content-length", str(len(BODY))), ("content-length", "3")],
    "short-length": [("content-length", "3")],
    "long-length": [("content-length", "3000")],
    "second-path": [(":path", "/b")],
    "late-pseudo": [("a", "b"), (":scheme", "http")],
}


@pytest.mark.parametrize("fields", SMUGGLED.values(), ids=SMUGGLED)
def test_what_could_mean_two_things_is_reset(plain, fields):
    arrived = plain.sim.arrived()
    with Http2(plain.weir.port, careful=False) as client:
        answer = client.answer(client.ask(CONVERSE, BODY, headers=fields))
        assert answer.reset == ErrorCodes.PROTOCOL_ERROR and answer.status is None
        assert client.answer(client.ask(CONVERSE, BODY, headers=JSON)).status == 200
    assert plain.sim.arrived() == arrived + 1


@pytest.mark.parametrize("path", ["/a b", "", "a", "/a\r\nHost: b", f"http://a{CONVERSE}", f"{CONVERSE} HTTP/1.1\r\n\r\n"])
def test_a_bad_path_is_reset(plain, path):
    with Http2(plain.weir.port, careful=False) as client:
        assert client.answer(client.ask(path, BODY)).reset == ErrorCodes.PROTOCOL_ERROR


def test_a_reader_that_stops_holds_back_its_own_stream_only(plain):
    endless = json.dumps(say("[[output=60000]] [[rate=20000]]", 60_000)).encode()
    with Http2(plain.weir.port, reads=False) as parked:
        number = parked.ask(STREAM, endless, headers=JSON)
        assert parked.until(lambda: len(parked.streams[number].body) > 60_000)
        delivered = len(parked.streams[number].body)
        time.sleep(1)
        with Http2(plain.weir.port) as other:
            assert other.answer(other.ask(CONVERSE, BODY, headers=JSON)).status == 200
        # The parked one got what its window allowed, and no more.
        parked.socket.settimeout(0.5)
        try:
            while parked.read():
                pass
        except TimeoutError:
            pass
        assert delivered <= len(parked.streams[number].body) <= 65_535
        before = plain.sim.truth(key="cancelled")
        parked.h2.reset_stream(number)
        parked.flush()
        wait_until(lambda: plain.sim.truth(key="cancelled") == before + 1, 5, "the upstream's end")


def test_idle_and_silent_clients_are_sent_away(limited):
    with Http2(limited.weir.port) as idle:
        before = time.monotonic()
        assert idle.farewell() == ErrorCodes.NO_ERROR
        assert 1 < time.monotonic() - before < 8
    answer = raw(limited.weir.port, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", timeout=8)
    assert answer and answer[-4:] == int(ErrorCodes.SETTINGS_TIMEOUT).to_bytes(4, "big")


def test_a_hundred_connections_a_request_each(plain):
    # As the SDK for JavaScript does it: a session a request.
    for _ in range(100):
        with Http2(plain.weir.port) as client:
            assert client.answer(client.ask(CONVERSE, BODY, headers=JSON)).status == 200
    wait_until(lambda: plain.weir.metrics().sum("weir_connections", side="client") <= 2, 5, "their end")


def test_garbage_after_the_preface(plain):
    with socket.create_connection(("127.0.0.1", plain.weir.port), timeout=5) as s:
        s.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 5000)
        while s.recv(65536):
            pass
    assert plain.weir.converse().status == 200


def test_a_body_that_trickles_is_given_up(limited):
    with Http2(limited.weir.port) as client:
        number = client.ask(CONVERSE, headers=[*JSON, ("content-length", "1000")], end=False)
        client.socket.settimeout(0.2)
        began = time.monotonic()
        while time.monotonic() - began < 8 and client.streams[number].status is None and not client.gone:
            try:
                client.h2.send_data(number, b" ")
                client.flush()
                client.read()
            except TimeoutError:
                continue
        assert client.streams[number].status == 408
        assert time.monotonic() - began < 5
        client.socket.settimeout(10)
        assert client.answer(client.ask(CONVERSE, BODY, headers=JSON)).status == 200, "the others go on"


def test_a_head_that_trickles_is_given_up(limited):
    """A HEADERS frame without END_HEADERS, and its CONTINUATION never comes whole."""
    with Http2(limited.weir.port) as client:
        client.read()
        client.socket.sendall(b"\0\0\1\1\0\0\0\0\1\x83")  # HEADERS, one indexed field, no flags
        began = time.monotonic()
        client.socket.settimeout(0.2)
        while not client.gone and time.monotonic() - began < 8:
            try:
                client.socket.sendall(b"\0\0\0\x09\0\0\0\0\1")  # CONTINUATION, empty
                client.read()
            except TimeoutError:
                continue
            except OSError:
                client.gone = True
        assert client.gone and time.monotonic() - began < 5
    assert limited.weir.converse().status == 200


def test_thousands_of_idle_connections_and_a_burst(start):
    """Half of each protocol, silent; meanwhile two hundred requests at once."""
    s = start()
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\4" + bytes(5)
    idle = [socket.create_connection(("127.0.0.1", s.weir.port), timeout=10) for _ in range(1000)]
    for connection in idle[::2]:
        connection.sendall(preface)
    wait_until(lambda: s.weir.metrics().sum("weir_connections", side="client") >= 1000, 10, "a thousand connections")
    began = time.monotonic()
    with Http2(s.weir.port) as client:
        numbers = [client.ask(CONVERSE, BODY, headers=JSON) for _ in range(200)]
        assert all(client.answer(number).status == 200 for number in numbers)
    assert time.monotonic() - began < 10
    for connection in idle:
        connection.close()
    wait_until(lambda: s.weir.metrics().sum("weir_connections", side="client") <= 2, 10, "their end")
