"""What an upstream says is cleaned where it is read: no bytes of its end the process or are written into a head."""

import json
import struct
import zlib

import pytest
from harness import SONNET, Gateway, say
from scripted import Endpoints, Scripted, answer

pytestmark = pytest.mark.usefixtures("protocol")  # each over HTTP/1.1 and HTTP/2
CONVERSE = f"/model/{SONNET}/converse"
MESSAGES = {"model": SONNET, "max_tokens": 10, "messages": [{"role": "user", "content": "hi"}]}
EVIL = "Evil\r\nX-Injected: 1\x00\x1b[31m"


def message(headers, payload=b""):
    """One message of application/vnd.amazon.eventstream."""
    text = b"".join(bytes([len(k)]) + k + b"\7" + struct.pack(">H", len(v)) + v for k, v in headers.items())
    data = struct.pack(">II", 16 + len(text) + len(payload), len(text))
    data += struct.pack(">I", zlib.crc32(data)) + text + payload
    return data + struct.pack(">I", zlib.crc32(data))


def stream(body, kind="application/vnd.amazon.eventstream"):
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def evil(*names):
    return json.dumps({name: EVIL for name in names}).encode()


EXCEPTION = {b":message-type": b"exception", b":exception-type": EVIL.encode()}
ERROR = {b":message-type": b"error", b":error-code": EVIL.encode(), b":error-message": b"\xff\x00" + EVIL.encode()}
SSE = b"data: " + json.dumps({"error": {"message": EVIL, "type": EVIL, "code": EVIL}}).encode() + b"\n\n"
CASES = {
    "exception": (CONVERSE + "-stream", say("hi"), stream(message(EXCEPTION, evil("message")))),
    "error-code": (CONVERSE + "-stream", say("hi"), stream(message(ERROR))),
    "invoke-stream": (
        f"/model/{SONNET}/invoke-with-response-stream",
        MESSAGES,
        stream(message(EXCEPTION, evil("message"))),
    ),
    "__type": (CONVERSE, say("hi"), answer(evil("__type", "message"), "400 Bad Request")),
    "code": ("/v1/chat/completions", MESSAGES, answer(evil("code", "message"), "500 Error")),
    "messages": ("/anthropic/v1/messages", MESSAGES, answer(evil("__type", "message"), "400 Bad Request")),
    "sse": ("/v1/chat/completions", {**MESSAGES, "stream": True}, stream(SSE, "text/event-stream")),
    "sse-messages": ("/anthropic/v1/messages", {**MESSAGES, "stream": True}, stream(b"event: error\n" + SSE, "text/event-stream")),
    "long": (CONVERSE, say("hi"), answer(b'{"message":"' + b"\xc3" * 90_000 + b'"}', "503 No", ["x-amzn-ErrorType: " + "x" * 9_000])),
}
NAMES = {"long": "x" * 128}  # where it is not what is left of EVIL


@pytest.mark.parametrize("name", CASES)
def test_an_error_of_an_upstream_is_cleaned(tmp_path, name):
    path, body, sent = CASES[name]
    upstream = Scripted(lambda connection, request: sent)
    settings = {"workers": 1, "queue": {"deadline": "2s", "max_wait": "1s"}, "retry": {"max_attempts": 1}}
    try:
        with Gateway(tmp_path, Endpoints(us_east_1=upstream.port), settings) as weir:
            for attempt in (1, 2):  # the second is answered from memory
                headers = {"amz-sdk-invocation-id": "one", "amz-sdk-request": f"attempt={attempt}; max=3"}
                reply = weir.ask("POST", path, body, headers)
                assert reply.status >= 400
                fields = {field.lower(): value for field, value in reply.headers.items()}
                assert "x-injected" not in fields
                assert all(0x20 <= ord(c) < 0x7F for value in fields.values() for c in value)
                assert weir.line(sdk_attempt=attempt)["error"] in ("Evil", NAMES.get(name))
            weir.check_alive()
            assert weir.metrics().sum("weir_unclean_fields_total") == 0
    finally:
        upstream.close()
