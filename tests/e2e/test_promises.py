"""The promises of the gateway, held against random clients, upstreams and faults.

WEIR_PROMISES_SECONDS says how long (60), WEIR_SEED which draw; a failure prints the seed that gave it. The draws are the seed's; how
threads and processes take turns is the machine's, so a seed may have to be run more than once to show the same again.
"""

import base64
import binascii
import json
import os
import random
import re
import signal
import socket
import ssl
import struct
import tempfile
import threading
import time
from contextlib import ExitStack

import pytest
import trustme

from harness import EAST, SONNET, WEST, Gateway, ask, say, wait_until
from http2_client import Http2
from moody import MOODS, Moody
from scripted import Endpoints

SECONDS = float(os.environ.get("WEIR_PROMISES_SECONDS", "60"))
SEED = int(os.environ.get("WEIR_SEED", "0")) or random.SystemRandom().randrange(1, 2**31)
THREADS = 10
WINDOW = 2  # s: quota_window
MAX_ATTEMPTS = 4
# `WEIR_PROMISES_MOODS=reset,hang` draws these alone.
DRAWN = [m for m in os.environ.get("WEIR_PROMISES_MOODS", "").split(",") if m] or MOODS
CHAT = "openai.gpt-oss-20b-1:0"
CLAUDE = "anthropic.claude-sonnet-4-5"
NONCE = re.compile(r"nonce-([a-z0-9]+)")

SETTINGS = {
    "quota_window": f"{WINDOW}s",
    "quotas": [{"model": SONNET, "requests_per_minute": 400, "tokens_per_minute": 400_000}],
    "queue": {"deadline": "6s", "max_wait": "3s"},
    "retry": {"max_attempts": MAX_ATTEMPTS, "base_delay": "20ms", "max_delay": "100ms"},
    "breaker": {"open_for": "200ms", "max_open": "400ms"},
    "timeouts": {
        "connect": "1s", "first_event": "2s", "idle": "2s", "answer": "3s", "client_head": "2s", "client_idle": "2s", "hold": "500ms",
        "drain_delay": "0s", "drain": "2s",
    },
    "pool": {"idle": "1s"},
    "log": {"level": "info", "format": "json"},
}


class Broken(Exception):
    """The connection ended before the answer did."""


class Asked:
    """One request: what it says, what it meets, what its answer must look like."""

    def __init__(self, draw, number, seed):
        self.nonce = f"{number:x}x{seed:x}"
        count = draw.choices((0, 1, 2, 3), (5, 4, 2, 1))[0]
        self.moods = [draw.choice(DRAWN) for _ in range(count)]
        text = f"nonce-{self.nonce} moods={','.join(self.moods)}; " + "x" * draw.choice((0, 0, 0, 3000, 200_000))
        kind = draw.choice(
            ("converse", "converse", "converse-stream", "converse-stream", "invoke", "invoke-with-response-stream", "openai",
             "openai-stream", "anthropic", "anthropic-stream", "count-tokens")
        )
        self.streams = kind.endswith("-stream")
        self.dialect = kind.split("-")[0] if kind.startswith(("openai", "anthropic")) else "bedrock"
        self.passed_on = kind == "count-tokens"
        content = [{"role": "user", "content": text}]
        if self.dialect == "openai":
            self.path, self.body = "/openai/v1/chat/completions", {"model": CHAT, "messages": content, "max_tokens": 50}
        elif self.dialect == "anthropic":
            self.path, self.body = "/anthropic/v1/messages", {"model": CLAUDE, "messages": content, "max_tokens": 50}
        else:
            self.path = f"/model/{SONNET}/{kind}"
            if kind.startswith("invoke"):
                self.body = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 50, "messages": content}
            elif kind == "count-tokens":
                self.body = {"input": {"converse": {"messages": say(text)["messages"]}}}
            else:
                self.body = say(text, 50)
        if self.streams and self.dialect != "bedrock":
            self.body["stream"] = True
        self.http2 = draw.random() < 0.3
        self.leaves_after = draw.choice((None,) * 7 + (0.0, 0.02, 0.1))  # s after the request was sent
        self.reads_slowly = draw.random() < 0.05
        self.keeps = draw.random() < 0.5
        self.bytes = json.dumps(self.body).encode()

    def __repr__(self):
        return f"nonce-{self.nonce} {self.path} {'stream' if self.streams else 'whole'} h{2 if self.http2 else 1} moods={self.moods}"


class Answer:
    def __init__(self, status, headers, body, complete):
        self.status, self.headers, self.body, self.complete = status, headers, body, complete


class Http1:
    """One kept connection, and answers read to the byte: nothing may come that was not asked for."""

    def __init__(self, port, tls):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=25)
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_hostname="localhost")
        self.got = b""

    def close(self):
        self.socket.close()

    def more(self):
        try:
            block = self.socket.recv(65536)
        except (ConnectionError, ssl.SSLError) as problem:
            raise Broken(str(problem)) from problem
        if not block:
            raise Broken("closed")
        self.got += block

    def line(self):
        while b"\r\n" not in self.got:
            self.more()
        line, self.got = self.got.split(b"\r\n", 1)
        return line.decode("latin-1")

    def take(self, count):
        while len(self.got) < count:
            self.more()
        data, self.got = self.got[:count], self.got[count:]
        return data

    def ask(self, asked):
        head = f"POST {asked.path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(asked.bytes)}\r\n\r\n"
        try:
            self.socket.sendall(head.encode() + asked.bytes)
        except (ConnectionError, ssl.SSLError) as problem:
            raise Broken(str(problem)) from problem

    def answer(self, slowly=False):
        first = self.line()
        found = re.fullmatch(r"HTTP/1\.1 (\d{3}) [ -~]*", first)
        assert found, f"not a status line: {first!r}"
        headers = {}
        while line := self.line():
            name, _, value = line.partition(": ")
            assert re.fullmatch(r"[A-Za-z0-9-]+", name) and re.fullmatch(r"[\x20-\x7e]*", value), f"odd header line {line!r}"
            headers[name.lower()] = value
        status = int(found[1])
        body = b""
        try:
            if "content-length" in headers:
                body = self.take(int(headers["content-length"]))
            elif headers.get("transfer-encoding") == "chunked":
                while size := int(self.line(), 16):
                    body += self.take(size)
                    assert self.take(2) == b"\r\n"
                    if slowly:
                        time.sleep(0.05)
                assert self.line() == ""
            else:
                raise AssertionError(f"no framing in {headers}")
        except Broken:
            return Answer(status, headers, body, False)
        assert self.got == b"", f"bytes after the answer: {self.got[:200]!r}"
        return Answer(status, headers, body, True)


def frames(body):
    """The messages of an event stream: headers and payload. CRCs are checked."""
    out = []
    while body:
        assert len(body) >= 16, "a torn message at the end of the stream"
        total, size = struct.unpack("!II", body[:8])
        assert struct.unpack("!I", body[8:12])[0] == binascii.crc32(body[:8]), "prelude CRC"
        assert len(body) >= total, "a torn message at the end of the stream"
        assert struct.unpack("!I", body[total - 4:total])[0] == binascii.crc32(body[:total - 4]), "message CRC"
        headers, at, end = {}, 12, 12 + size
        while at < end:
            name_end = at + 1 + body[at]
            name = body[at + 1:name_end].decode()
            assert body[name_end] == 7
            length = struct.unpack("!H", body[name_end + 1:name_end + 3])[0]
            headers[name] = body[name_end + 3:name_end + 3 + length].decode()
            at = name_end + 3 + length
        out.append((headers, body[end:total - 4]))
        body = body[total:]
    return out


def sse_events(body):
    assert body.endswith(b"\n\n"), f"the last event is torn: {body[-80:]!r}"
    events = []
    for block in body.decode().strip("\n").split("\n\n"):
        data = [line[5:].strip() for line in block.split("\n") if line.startswith("data:")]
        events += ["\n".join(data)] if data else []
    return events


class Checker:
    """What an answer must be. Raises AssertionError with the reason."""

    def check(self, asked, answer):
        texts = answer.body.decode("utf-8", "replace")
        if "event-stream" in answer.headers.get("content-type", "") or "eventstream" in answer.headers.get("content-type", ""):
            if answer.complete:
                texts = self.check_stream(asked, answer)
        elif answer.complete:
            value = json.loads(answer.body)
            if answer.status >= 400:
                self.check_error(asked, answer, value)
            else:
                assert f"nonce-{asked.nonce}" in texts, f"an answer without its nonce: {texts[:300]}"
        for nonce in NONCE.findall(texts):
            assert nonce == asked.nonce, f"the answer of another call: {nonce}"
        assert "x-injected" not in answer.headers
        assert answer.headers.get("x-weir-request-id"), answer.headers
        if answer.status < 400 and not answer.complete:
            return "cut"
        return "ok" if answer.status < 400 else "refused"

    def check_error(self, asked, answer, value):
        if asked.dialect == "openai":
            assert isinstance(value.get("error"), (dict, str)) or "message" in value, value
        elif asked.dialect == "anthropic":
            assert value.get("type") == "error" or "message" in value, value
        else:
            assert "message" in value or "Message" in value, value
            # A caller's error goes back as it came; the one of this mood comes without a type in its head.
            assert answer.headers.get("x-amzn-errortype") or "forged_type" in asked.moods, answer.headers

    def check_stream(self, asked, answer):
        """Ends as its dialect's streams do: with its last event, or with a typed error."""
        if asked.dialect == "bedrock":
            messages = frames(answer.body)
            texts = ""
            for headers, payload in messages:
                value = json.loads(payload)
                texts += base64.b64decode(value["bytes"]).decode() if "bytes" in value else payload.decode()
            headers = messages[-1][0] if messages else {}
            ended = headers.get(":message-type") in ("exception", "error") or headers.get(":event-type") == "metadata" or (
                "message_stop" in texts
            )
        else:
            events = sse_events(answer.body)
            texts = "\n".join(events)
            last = events[-1] if events else ""
            ended = last == "[DONE]" or "message_stop" in last or "error" in last
        assert ended, f"a clean end of a stream that was not over: {texts[-300:]}"
        return texts


class Crowd:
    """Threads that ask until the time is over."""

    def __init__(self, weir, seed, tls, seconds):
        self.weir, self.seed, self.tls = weir, seed, tls
        self.until = time.monotonic() + seconds
        self.lock = threading.Lock()
        self.number, self.failures, self.ids = 0, [], []
        self.outcomes = {}
        self.checker = Checker()
        self.sent = 0
        self.threads = [threading.Thread(target=self.run, args=(n,), daemon=True) for n in range(THREADS)]

    def count(self, outcome):
        with self.lock:
            self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1

    def run(self, thread):
        draw = random.Random(f"{self.seed} {thread}")
        connection = None
        while time.monotonic() < self.until and len(self.failures) < 5:
            with self.lock:
                self.number += 1
                number = self.number
            asked = Asked(draw, number * THREADS + thread, self.seed)
            try:
                if draw.random() < 0.03:
                    self.talk_rubbish(draw)
                    continue
                if asked.http2:
                    self.over_http2(asked)
                    continue
                fresh = connection is None
                connection = connection or Http1(self.weir.port, self.tls[0])
                connection = self.over_http1(connection, asked, fresh)
            except AssertionError as problem:
                self.failures.append(f"{asked}: {problem}")
                connection = None
            except TimeoutError:
                self.failures.append(f"{asked}: no answer within 25 s")
                connection = None
            except (OSError, Broken) as problem:
                self.failures.append(f"{asked}: {problem!r}")
                connection = None
        if connection is not None:
            connection.close()

    def over_http1(self, connection, asked, fresh):
        try:
            connection.ask(asked)
            with self.lock:
                self.sent += 1
            if asked.leaves_after is not None:
                time.sleep(asked.leaves_after)
                connection.close()
                self.count("left")
                return None
            answer = connection.answer(asked.reads_slowly)
        except Broken:
            connection.close()
            assert not fresh, "a fresh connection was closed without an answer"
            self.count("stale connection")  # closed while idle, as client_idle or a reload may have it
            return None
        self.finish(asked, answer)
        if not answer.complete or not asked.keeps or answer.headers.get("connection") == "close":
            connection.close()
            return None
        return connection

    def over_http2(self, asked):
        with Http2(self.weir.port, tls=self.tls[1], timeout=25) as client:
            with self.lock:
                self.sent += 1
            number = client.ask(asked.path, asked.bytes, headers=[("content-type", "application/json")])
            if asked.leaves_after is not None:
                time.sleep(asked.leaves_after)
                self.count("left")
                return
            got = client.answer(number)
            assert got.status is not None, f"a stream that ended without a head: reset {got.reset}"
            for name, value in got.headers.items():
                assert re.fullmatch(r"[\x20-\x7e]*", value), f"odd header {name}: {value!r}"
            self.finish(asked, Answer(got.status, got.headers, got.body, got.ended))

    def finish(self, asked, answer):
        self.count(self.checker.check(asked, answer))
        with self.lock:
            self.ids.append(answer.headers["x-weir-request-id"])

    def talk_rubbish(self, draw):
        junk = draw.choice((
            b"\x16\x03\x01\x02\x00\x01\x00", b"GET", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(draw.randrange(256) for _ in range(200)),
            b"POST / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", b"POST /model/x/converse HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{",
            bytes(draw.randrange(256) for _ in range(300)),
        ))
        with socket.create_connection(("127.0.0.1", self.weir.port), timeout=10) as client:
            try:
                client.sendall(junk)
                time.sleep(draw.choice((0, 0.05)))
            except OSError:
                pass
        self.count("rubbish")


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def cpu_seconds(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def keep_reloading(weir, draw, stopped, failures):
    while not stopped.wait(draw.uniform(0.3, 1.5)):
        choice = draw.random()
        if choice < 0.2:
            good = weir.file.read_text()
            weir.file.write_text("queue: {deadline: 5}\n")
            status = ask(weir.admin, "POST", "/reload").status
            weir.file.write_text(good)
            if status != 400:
                failures.append(f"a bad file was answered with {status}")
            continue
        weir.write({"queue": {"max_waiting": draw.randrange(1000, 2000)}, "retry": {"base_delay": f"{draw.randrange(10, 40)}ms"},
                    "routes": routes(draw.random() < 0.5)})
        if choice < 0.6:
            weir.signal(signal.SIGHUP)
        elif (status := ask(weir.admin, "POST", "/reload").status) != 200:
            failures.append(f"a good file was answered with {status}")


def routes(reversed_order):
    places = [{"region": EAST}, {"region": WEST}][:: -1 if reversed_order else 1]
    return [{"model": model, "targets": places} for model in (SONNET, CHAT, CLAUDE)]


def settled(status):
    """No call is under way, none waits, and nothing is held of any quota."""
    held = [limit for target in status["targets"] for limit in target["limits"] if limit["reserved"]]
    return status["in_flight"] == 0 and status["waiting_calls"] == 0 and not held


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
def test_promises(secure):
    seed = SEED + secure
    print(f"seed {SEED}: run again with WEIR_SEED={SEED}")
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="weir-promises-"))
        upstream = Moody()
        stack.callback(upstream.close)
        settings = {**SETTINGS, "routes": routes(False)}
        contexts = (None, None)
        if secure:
            authority = trustme.CA()
            pair = authority.issue_cert("localhost")
            certificate, key = f"{folder}/server.pem", f"{folder}/server.key"
            pair.private_key_pem.write_to_path(key)
            with open(certificate, "wb") as file:
                file.write(b"".join(blob.bytes() for blob in pair.cert_chain_pems))
            settings["tls"] = {"certificate": certificate, "key": key}
            contexts = (ssl.create_default_context(), ssl.create_default_context())
            for context, protocol in zip(contexts, ("http/1.1", "h2")):
                authority.configure_trust(context)
                context.set_alpn_protocols([protocol])
        east, west = upstream.regions
        places = Endpoints(us_east_1=east.port, us_west_2=west.port)
        places.mantle_ports = {}
        weir = stack.enter_context(Gateway(folder, places, settings))
        pid = weir.popen.pid
        try:
            hold_promises(weir, upstream, seed, contexts, SECONDS / 2)
        except BaseException:
            print(f"seed {SEED}; weir's log:\n{weir.log()[-6000:]}")
            raise
        weir.signal(signal.SIGTERM)
        assert weir.popen.wait(15) == 0, pid


def hold_promises(weir, upstream, seed, contexts, seconds):
    pid = weir.popen.pid
    wait_until(lambda: ask(weir.admin, "GET", "/readyz").status == 200)
    descriptors_before = descriptors(pid)
    crowd = Crowd(weir, seed, contexts, seconds)
    stopped = threading.Event()
    reloader = threading.Thread(
        target=keep_reloading, args=(weir, random.Random(f"{seed} reloads"), stopped, crowd.failures), daemon=True
    )
    reloader.start()
    for thread in crowd.threads:
        thread.start()
    for thread in crowd.threads:
        thread.join()
    stopped.set()
    reloader.join()
    weir.check_alive()
    print(f"{crowd.sent} calls: {crowd.outcomes}")
    assert not crowd.failures, f"seed {seed}:\n" + "\n".join(crowd.failures[:10])
    assert crowd.outcomes.get("ok", 0) > 0

    # Everything ends, and is given back.
    wait_until(lambda: settled(weir.status()), 20, "an engine at rest")
    wait_until(lambda: descriptors(pid) <= descriptors_before + 2, 20, f"{descriptors_before} descriptors again")
    used = cpu_seconds(pid)
    time.sleep(1)
    assert cpu_seconds(pid) - used < 0.3, "CPU is burnt while nothing comes"

    # Nothing is retried after content, and no call is sent more often than allowed.
    for nonce, met in upstream.attempts.items():
        assert upstream.content_at.get(nonce, len(met)) == len(met), f"nonce-{nonce} was sent again after content: {met}"
        free = sum(mood in ("throttled", "expired", "reset", "close") for mood in met)
        assert len(met) <= MAX_ATTEMPTS + free, f"nonce-{nonce} was sent {len(met)} times: {met}"

    # One line a request, and every line is JSON.
    lines = wait_until(lambda: finished_lines(weir, len(crowd.ids)), 10, "the access log")
    known = [line["id"] for line in lines]
    assert len(set(known)) == len(known), "a request has two lines"
    assert set(crowd.ids) <= set(known), f"{len(set(crowd.ids) - set(known))} answered requests have no line"
    assert len(set(crowd.ids)) == len(crowd.ids), "two answers carry one id"
    assert len(known) <= crowd.sent + crowd.outcomes.get("rubbish", 0)
    for line in weir.log().splitlines():
        assert json.loads(line)["message"]


def finished_lines(weir, least):
    text = weir.out.read_text()
    if not text.endswith("\n"):
        return None
    lines = [json.loads(line) for line in text.splitlines()]
    return lines if len(lines) >= least else None
