"""Requests that two readers might understand differently: each is refused, or goes on as exactly one request whose
framing is weir's own. What arrives is read from the wire."""

import json
import re

import pytest
from harness import EAST, SONNET, Gateway, raw, say
from scripted import Endpoints, Scripted

PATH = f"/model/{SONNET}/converse"
BODY = json.dumps(say("hi")).encode()
SIZE = len(BODY)
SMUGGLED = b"POST /model/evil/converse HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}"


@pytest.fixture(scope="module")
def wire(tmp_path_factory):
    upstream = Scripted()
    settings = {
        "routes": [{"model": SONNET, "targets": [{"region": EAST}]}],
        "timeouts": {"client_head": "1s"},
        "limits": {"max_body": "64KiB"},
    }
    with Gateway(tmp_path_factory.mktemp("wire"), Endpoints(us_east_1=upstream.port), settings) as weir:
        weir.upstream = upstream
        yield weir
    upstream.close()


def post(*fields, body=BODY, target=PATH, version="HTTP/1.1", host=True, method="POST"):
    lines = [f"{method} {target} {version}", *(["Host: localhost"] if host else []), *fields]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def chunked(*chunks, last=b"0\r\n\r\n"):
    return b"".join(b"%x\r\n%s\r\n" % (len(c), c) for c in chunks) + last


CL = f"Content-Length: {SIZE}"
TE = "Transfer-Encoding: chunked"
REFUSED = {
    "both lengths": post(CL, TE, body=chunked(BODY)),
    "both, the other way": post(TE, CL, body=chunked(BODY)),
    "CL.TE with a request inside": post("Content-Length: 4", TE, body=b"0\r\n\r\n" + SMUGGLED),
    "two lengths": post(CL, "Content-Length: 2"),
    "a list of lengths": post(f"Content-Length: {SIZE}, 2"),
    "length +": post(f"Content-Length: +{SIZE}"),
    "length -": post("Content-Length: -1"),
    "length 0x": post("Content-Length: 0x5"),
    "length with a space inside": post("Content-Length: 1 0"),
    "length above 64 bits": post("Content-Length: 18446744073709551617"),
    "length empty": post("Content-Length:"),
    "TE identity": post("Transfer-Encoding: identity", CL),
    "TE chunked, identity": post("Transfer-Encoding: chunked, identity", body=chunked(BODY)),
    "TE twice": post(TE, TE, body=chunked(BODY)),
    "TE xchunked": post("Transfer-Encoding: xchunked", body=chunked(BODY)),
    "TE with a vertical tab": post("Transfer-Encoding: \x0bchunked", body=chunked(BODY)),
    "TE in quotes": post('Transfer-Encoding: "chunked"', body=chunked(BODY)),
    "TE in HTTP/1.0": post(TE, body=chunked(BODY), version="HTTP/1.0"),
    "space before the colon": post("Transfer-Encoding : chunked", CL),
    "a folded line": post("X: a", " Transfer-Encoding: chunked", CL),
    "NUL in a value": post("X: a\0b", CL),
    "CR in a value": post("X: a\rTransfer-Encoding: chunked", CL),
    "bare LF": post("X: a\nTransfer-Encoding: chunked", CL),
    "a name with a space": post("X y: a", CL),
    "an empty name": post(": a", CL),
    "no colon": post("nonsense", CL),
    "two hosts": post("Host: other", CL),
    "no host": post(CL, host=False),
    "two equal hosts": post("Host: localhost", CL),
    "host with a path": post("Host: localhost/x", CL, host=False),
    "host with userinfo": post("Host: me@localhost", CL, host=False),
    "chunk size 0x": post(TE, body=b"0x5\r\nhello\r\n0\r\n\r\n"),
    "chunk size negative": post(TE, body=b"-5\r\nhello\r\n0\r\n\r\n"),
    "chunk size above 64 bits": post(TE, body=b"10000000000000005\r\nhello\r\n0\r\n\r\n"),
    "chunk size with a space before": post(TE, body=b" 5\r\nhello\r\n0\r\n\r\n"),
    "chunk size empty": post(TE, body=b"\r\nhello\r\n0\r\n\r\n"),
    "chunk longer than it says": post(TE, body=b"2\r\nhello\r\n0\r\n\r\n"),
    "chunk with bare LF": post(TE, body=b"5\nhello\n0\n\n"),
    "chunk extension of 1 MB": post(TE, body=b"5;x=" + b"y" * 1_000_000 + b"\r\nhello\r\n0\r\n\r\n"),
    "chunk extension with bare CR": post(TE, body=b"5;x\ry\r\nhello\r\n0\r\n\r\n"),
    "a trailer with a space before its colon": post(TE, body=chunked(BODY, last=b"0\r\nX : y\r\n\r\n")),
    "a trailer that frames": post(TE, body=chunked(BODY, last=b"0\r\nContent-Length: 5\r\n\r\n")),
    "absolute form of another host": post(CL, target=f"http://other{PATH}"),
    "absolute form with userinfo": post(CL, target=f"http://localhost@other{PATH}"),
    "absolute form without a path": post(CL, target="http://localhost"),
    "100,000 fields": post(*("a: b" for _ in range(100_000)), CL),
    "a field of a megabyte": post("X: " + "y" * 1_000_000, CL),
    "a target of a megabyte": post(CL, target="/" + "y" * 1_000_000),
    "a target with a space": post(CL, target=PATH + " x"),
    "a target with a control byte": post(CL, target=PATH + "\x01"),
    "CONNECT": post(method="CONNECT", target="localhost:443", body=b""),
    "asterisk": post(CL, target="*"),
    "path up": post(CL, target="/model/../model/x/converse"),
    "path up, encoded": post(CL, target="/model/%2e%2e/converse"),
    "path with NUL": post(CL, target="/model/a%00b/converse"),
    "path with an empty segment": post(CL, target=f"//model/{SONNET}/converse"),
    "path encoded twice": post(CL, target="/model/a%252e%252e/../converse"),
    "path with CR LF": post(CL, target="/model/a%0d%0aX:%20y/converse"),
    "path badly encoded": post(CL, target="/model/%zz/converse"),
    "version 1.2 of nothing": post(CL, version="HTTP/12"),
    "version 2": post(CL, version="HTTP/2.0"),
    "lower-case version": post(CL, version="http/1.1"),
    "lower-case method": post(CL, method="post"),
    "method with a colon": post(CL, method="PO:ST"),
    "two equal types": post(CL, "Content-Type: application/json", "Content-Type: application/json"),
    "a type for one hop": post(CL, "Content-Type: application/json", "Connection: close, content-type"),
    "a token for one hop": post(CL, "Connection: X-Amz-Security-Token", "X-Amz-Security-Token: stolen"),
    "two guardrails": post(CL, "X-Amzn-Bedrock-GuardrailIdentifier: a", "X-Amzn-Bedrock-GuardrailIdentifier: b"),
}

FORWARDED = {
    "plain": post(CL),
    "chunked": post(TE, body=chunked(BODY)),
    "chunked in pieces": post(TE, body=chunked(*(BODY[i : i + 7] for i in range(0, SIZE, 7)))),
    "Chunked": post("Transfer-Encoding: Chunked", body=chunked(BODY)),
    "a chunk extension": post(TE, body=b"%x;a=b\r\n%s\r\n0\r\n\r\n" % (SIZE, BODY)),
    "chunk size with zeros": post(TE, body=b"000%x\r\n%s\r\n0\r\n\r\n" % (SIZE, BODY)),
    "a trailer": post(TE, body=chunked(BODY, last=b"0\r\nX-Checksum: 5\r\n\r\n")),
    "equal lengths in a list": post(f"Content-Length: {SIZE}"),
    "absolute form": post(CL, target=f"http://localhost{PATH}"),
    "upgrade to h2c": post(CL, "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"),
    "upgrade to websocket": post(CL, "Connection: Upgrade", "Upgrade: websocket"),
    "a field named by Connection": post(CL, "Connection: X-Mine", "X-Mine: 1"),
    "hop-by-hop fields": post(CL, "Keep-Alive: 5", "Proxy-Authorization: x", "TE: trailers", "Proxy-Connection: close"),
}


def answers(got):
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", got)]


@pytest.mark.parametrize("name", REFUSED)
def test_what_may_be_read_two_ways_goes_nowhere(wire, name):
    seen = len(wire.upstream.requests)
    got = raw(wire.port, REFUSED[name], timeout=3)
    wire.check_alive()
    assert all(400 <= status < 600 for status in answers(got)), got[:300]
    assert len(answers(got)) <= 1, "the rest of a refused request was read as another"
    assert len(wire.upstream.requests) == seen, wire.upstream.requests[-1][:300]


@pytest.mark.parametrize("name", FORWARDED)
def test_what_is_clear_goes_on_in_weirs_own_words(wire, name):
    seen = len(wire.upstream.requests)
    got = raw(wire.port, FORWARDED[name] + post("Content-Length: 0", "Connection: close", target="/healthz", body=b"", method="GET"))
    assert answers(got) == [200, 200], got[:300]
    assert len(wire.upstream.requests) == seen + 1
    head, body = wire.upstream.requests[-1].split(b"\r\n\r\n", 1)
    lines = head.split(b"\r\n")
    assert lines[0] == f"POST {PATH} HTTP/1.1".encode()
    assert body == BODY
    names = [line.split(b":", 1)[0].lower() for line in lines[1:]]
    assert len(names) == len(set(names)), names
    assert f"content-length: {SIZE}".encode() in head.lower().split(b"\r\n")
    for hop in (b"transfer-encoding", b"upgrade", b"http2-settings", b"keep-alive", b"proxy-authorization", b"te",
                b"proxy-connection", b"trailer", b"x-mine"):
        assert hop not in names


@pytest.mark.parametrize("number", ["1e999", "-1", "1.5", "18446744073709551616", '"4096"', "null", "0", "true", "[]", "{}",
                                    "1e3", "-0", "99999999"])
@pytest.mark.parametrize("kind", ["converse", "invoke"])
def test_odd_limits_in_a_body_are_harmless(wire, kind, number):
    if kind == "converse":
        body = f'{{"messages":[{{"role":"user","content":[{{"text":"hi"}}]}}],"inferenceConfig":{{"maxTokens":{number}}}}}'
    else:
        body = f'{{"anthropic_version":"bedrock-2023-05-31","max_tokens":{number},"max_tokens":{number},"messages":[]}}'
    reply = wire.ask("POST", f"/model/{SONNET}/{kind}", body)
    assert reply.status in (200, 400), reply.body
    if reply.status == 200:
        assert wire.upstream.requests[-1].endswith(body.encode()), "the service judges what the caller wrote"
    else:
        assert reply.error == "ValidationException"


@pytest.mark.parametrize("body", [
    b"\xef\xbb\xbf" + BODY, b'{"messages":"\xff\xfe"}', b'{"messages":"\\ud800"}', b'{"messages":"\xc0\xaf"}',
    b'{"a":' * 10_000 + b"1" + b"}" * 10_000, b"[" * 60_000, b'{"messages":[' + b'{},' * 15_000 + b"{}]}",
    b'{"messages":{"messages":{"role":"user"}}}', b'{"inferenceConfig":[]}', b'{"messages":null,"messages":[]}',
    b'{"messages":[{"role":"user","content":[{"image":{"source":{"bytes":"%%%"}}}]}]}', b"{" + b" " * 60_000 + b"}",
], ids=range(12))
def test_odd_bodies_are_refused_or_left_to_the_service(wire, body):
    reply = wire.ask("POST", PATH, body)
    assert (reply.status, reply.error) in [(200, None), (400, "ValidationException")], reply.body
    wire.check_alive()


def test_a_body_that_trickles_is_given_up(wire):
    import socket
    import time

    with socket.create_connection(("127.0.0.1", wire.port), timeout=10) as s:
        s.sendall(post("Content-Length: 1000", body=b""))
        began = time.monotonic()
        s.settimeout(0.2)
        got = b""
        while time.monotonic() - began < 8 and not got:
            try:
                s.sendall(b" ")
                got = s.recv(1000)
            except TimeoutError:
                continue
    assert got.startswith(b"HTTP/1.1 408 "), got[:100]


def test_a_large_body_may_take_its_time(wire):
    import socket
    import time

    filler = b" " * 6000
    body = BODY + filler
    with socket.create_connection(("127.0.0.1", wire.port), timeout=10) as s:
        s.sendall(post(f"Content-Length: {len(body)}", "Connection: close", body=b""))
        for i in range(0, len(body), 1000):  # 2 s in all, where the head may take 1
            s.sendall(body[i : i + 1000])
            time.sleep(0.3)
        got = b""
        while block := s.recv(65536):
            got += block
    assert answers(got) == [200]
