"""An upstream for the promises' test: each call carries a nonce and the moods that its attempts meet, and the answer carries the nonce back."""

import base64
import binascii
import json
import re
import struct
import threading
import time

from scripted import Scripted, answer, reset

MARK = re.compile(rb"nonce-([a-z0-9]+) moods=([a-z0-9_,]*);")

# What an attempt can meet. "ok" follows when a call's moods are used up.
REFUSALS = {
    "throttled": (429, "ThrottlingException", "Too many requests, please wait before trying again."),
    "overloaded": (429, "ThrottlingException", "The system is currently overloaded. Please try again."),
    "unavailable": (503, "ServiceUnavailableException", "Service unavailable"),
    "internal": (500, "InternalServerException", "Internal error"),
    "model_error": (424, "ModelErrorException", "model error"),
    "model_timeout": (408, "ModelTimeoutException", "timed out"),
    "denied": (403, "AccessDeniedException", "no access"),
    "missing": (404, "ResourceNotFoundException", "no such model"),
    "invalid": (400, "ValidationException", "not valid"),
    "expired": (403, "ExpiredTokenException", "expired"),
}
MOODS = [
    *REFUSALS, "page", "reset", "close", "hang", "slow", "half", "garbage", "unasked", "early_error", "break_content", "stall_content",
    "exception_content", "odd_names", "first_exception", "forged_exception", "forged_type",
]


def message(headers, payload):
    """One message of AWS's event stream."""
    block = b"".join(
        struct.pack("!B", len(name)) + name.encode() + b"\x07" + struct.pack("!H", len(value)) + value
        for name, value in headers
    )
    prelude = struct.pack("!II", 16 + len(block) + len(payload), len(block))
    head = prelude + struct.pack("!I", binascii.crc32(prelude))
    return head + block + payload + struct.pack("!I", binascii.crc32(head + block + payload))


def event(kind, value):
    headers = ((":event-type", kind.encode()), (":content-type", b"application/json"), (":message-type", b"event"))
    return message(headers, json.dumps(value).encode())


def exception(kind, text="no"):
    headers = ((":exception-type", kind), (":content-type", b"application/json"), (":message-type", b"exception"))
    return message(headers, json.dumps({"message": text}).encode())


def sse(value, kind=None):
    name = f"event: {kind}\n" if kind else ""
    return f"{name}data: {json.dumps(value) if not isinstance(value, str) else value}\n\n".encode()


USAGE = {"inputTokens": 9, "outputTokens": 4, "totalTokens": 13}


def anthropic_events(text):
    return [
        {"type": "message_start", "message": {"id": "m", "type": "message", "role": "assistant", "content": [], "model": "x",
                                              "usage": {"input_tokens": 9, "output_tokens": 1}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 4}},
        {"type": "message_stop"},
    ]


def events_of(kind, text):
    """The events of a stream, and how many of them go before and with its first content."""
    if kind == "converse-stream":
        return [
            event("messageStart", {"role": "assistant"}),
            event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": text}}),
            event("contentBlockStop", {"contentBlockIndex": 0}),
            event("messageStop", {"stopReason": "end_turn"}),
            event("metadata", {"usage": USAGE, "metrics": {"latencyMs": 1}}),
        ], 1
    if kind == "invoke-with-response-stream":
        chunks = [{"bytes": base64.b64encode(json.dumps(e).encode()).decode()} for e in anthropic_events(text)]
        return [event("chunk", chunk) for chunk in chunks], 2
    if kind == "anthropic":
        return [sse(e, e["type"]) for e in anthropic_events(text)], 2
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "x"}
    return [
        sse({**chunk, "choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}]}),
        sse({**chunk, "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]}),
        sse({**chunk, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}),
        sse({**chunk, "choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}}),
        sse("[DONE]"),
    ], 1


def whole_of(kind, text):
    if kind == "converse":
        return {"output": {"message": {"role": "assistant", "content": [{"text": text}]}}, "stopReason": "end_turn",
                "usage": USAGE, "metrics": {"latencyMs": 1}}
    if kind in ("invoke", "anthropic"):
        return {"id": "m", "type": "message", "role": "assistant", "model": "x", "content": [{"type": "text", "text": text}],
                "stop_reason": "end_turn", "usage": {"input_tokens": 9, "output_tokens": 4}}
    if kind == "openai":
        return {"id": "c", "object": "chat.completion", "created": 1, "model": "x",
                "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}}
    return {"inputTokens": 9, "echo": text}


def kind_of(path, body):
    """What is asked for, and whether as a stream."""
    if b"/chat/completions" in path or b"/messages" in path:
        return ("anthropic" if b"/messages" in path else "openai"), json.loads(body).get("stream", False)
    last = path.split(b"?")[0].rsplit(b"/", 1)[-1].decode()
    return last, last.endswith("-stream")


class Moody:
    """Two Regions with one memory of what each nonce has met."""

    def __init__(self):
        self.lock = threading.Lock()
        self.attempts = {}  # nonce -> moods met
        self.content_at = {}  # nonce -> the attempt that sent content and ended badly afterwards
        self.regions = [Scripted(self.behave), Scripted(self.behave)]

    def close(self):
        for region in self.regions:
            region.close()

    def behave(self, connection, request):
        head, body = request.split(b"\r\n\r\n", 1)
        path = head.split(b" ", 2)[1]
        found = MARK.search(body)
        if not found:
            return answer(b'{"message":"no nonce"}', "400 Bad Request", ["x-amzn-ErrorType: ValidationException"])
        nonce, moods = found[1].decode(), [m for m in found[2].decode().split(",") if m]
        with self.lock:
            met = self.attempts.setdefault(nonce, [])
            mood = moods[len(met)] if len(met) < len(moods) else "ok"
            met.append(mood)
        kind, streams = kind_of(path, body)
        return self.answer(connection, mood, kind, streams, nonce)

    def answer(self, connection, mood, kind, streams, nonce):
        text = f"nonce-{nonce}"
        if mood in REFUSALS:
            status, name, words = REFUSALS[mood]
            return answer(json.dumps({"message": words}).encode(), f"{status} X", [f"x-amzn-ErrorType: {name}:http://x/"])
        if mood == "page":
            page = b"<html><body>502 Bad Gateway</body></html>"
            return (f"HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\nContent-Length: {len(page)}\r\n\r\n").encode() + page
        if mood == "reset":
            return reset(connection)
        if mood == "close":
            return None
        if mood == "hang":
            time.sleep(4)
            return None
        if mood == "garbage":
            connection.sendall(b"\x00\x17SMTP ready, say EHLO\r\n\r\n")
            return None
        if mood == "early_error":
            connection.sendall(answer(b'{"message":"large"}', "413 X", ["x-amzn-ErrorType: ValidationException", "Connection: close"]))
            return None
        if mood == "odd_names":
            name = "Odd\x0bName\xe9\"}{"
            return answer(b'{"message":"odd \\r\\nX-Injected: yes"}', "400 X", [f"x-amzn-ErrorType: {name}"])
        if mood == "forged_type":
            forged = {"message": "no\r\nX-Injected: yes", "__type": "a#Odd\r\nX-Injected: yes", "code": "x\r\nX-Injected: 1"}
            return answer(json.dumps(forged).encode(), "400 X")
        if streams:
            return self.stream(connection, mood, kind, text, nonce)
        whole = json.dumps(whole_of(kind, text)).encode()
        reply = answer(whole)
        if mood in ("half", "break_content", "exception_content", "first_exception", "forged_exception"):
            connection.sendall(reply[: len(reply) - 5])
            return None
        if mood == "stall_content":
            connection.sendall(reply[: len(reply) - 5])
            time.sleep(4)
            return None
        if mood == "slow":
            for at in range(0, len(reply), 40):
                connection.sendall(reply[at:at + 40])
                time.sleep(0.02)
            return b""
        if mood == "unasked":
            # At once: later, nobody could tell them from the answer to a request that has come meanwhile.
            return reply + answer(json.dumps(whole_of(kind, "nonce-unasked")).encode())
        return reply

    def stream(self, connection, mood, kind, text, nonce):
        events, before = events_of(kind, text)
        framed = kind in ("converse-stream", "invoke-with-response-stream")
        content_type = "application/vnd.amazon.eventstream" if framed else "text/event-stream"

        def send(data):
            connection.sendall(f"{len(data):x}\r\n".encode() + data + b"\r\n")

        connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        if mood in ("first_exception", "forged_exception"):
            name = b"throttlingException" if mood == "first_exception" else b"odd\r\nX-Injected: yes\r\n\r\nname"
            text_ = "slow down" if mood == "first_exception" else "line\r\nX-Injected: yes\x00"
            if framed:
                send(exception(name, text_))
            else:
                send(sse({"type": "error", "error": {"type": name.decode(), "message": text_}}, "error" if kind == "anthropic" else None))
            connection.sendall(b"0\r\n\r\n")
            return b""
        if mood == "half":
            send(b"".join(events[:before])[:-3] if before else b"")
            return None
        if mood in ("break_content", "stall_content", "exception_content"):
            send(b"".join(events[: before + 1]))
            with self.lock:
                self.content_at[nonce] = len(self.attempts[nonce])
            time.sleep(0.1)
            if mood == "exception_content":
                if framed:
                    send(exception(b"modelStreamErrorException"))
                else:
                    send(sse({"error": {"type": "server_error", "message": "no"}}, "error" if kind == "anthropic" else None))
                connection.sendall(b"0\r\n\r\n")
                return b""
            if mood == "stall_content":
                time.sleep(4)
            return None
        for one in events:
            send(one)
            if mood == "slow":
                time.sleep(0.05)
        end = b"0\r\n\r\n"
        return end + answer(json.dumps(whole_of("converse", "nonce-unasked")).encode()) if mood == "unasked" else end
