"""The n-th allocation, and the n-th system call on a descriptor, fail: for every n of one request.

Each failure may cost the request it hits, and nothing else: weir stays up, the next request is served, and in the end
nothing is held that was not held at first.
"""

import json
import mmap
import os
import shutil
import struct
import subprocess
import time
from pathlib import Path

import pytest
from harness import SONNET, Stack, raw, sanitized, say, wait_until
from http2_client import Http2

pytestmark = pytest.mark.xdist_group("nth_call")  # one process: its fixture is long

HERE = Path(__file__).parent
KINDS = {"allocation": 0, "system-call": 1}


@pytest.fixture(scope="module")
def preload(tmp_path_factory):
    compiler = shutil.which("cc") or shutil.which("gcc")
    if not compiler:
        pytest.skip("no C compiler to build nth_call.c with")
    if sanitized():
        pytest.skip("a sanitizer replaces malloc itself")
    built = tmp_path_factory.mktemp("nth") / "nth_call.so"
    subprocess.run([compiler, "-O1", "-shared", "-fPIC", "-o", built, HERE / "nth_call.c", "-ldl"], check=True)
    return built


class Control:
    def __init__(self, file):
        file.write_bytes(bytes(64))
        with open(file, "r+b") as f:
            self.map = mmap.mmap(f.fileno(), 64)

    def arm(self, kind, n):
        struct.pack_into("q", self.map, 16 * kind, n)

    def failed(self):
        return self.map[32:64].rstrip(b"\0").decode()

    def armed(self, kind):
        return struct.unpack_from("q", self.map, 16 * kind)[0]


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


BODY = json.dumps(say("hi [[output=5]]")).encode()


def over_http1(port, path):
    """The status of one request on a connection of its own; None: there was no answer."""
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {len(BODY)}\r\n\r\n"
    answer = raw(port, head.encode() + BODY, timeout=5)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 "), answer[:200]
    return int(answer.split(b" ", 2)[1]) if answer else None


def over_http2(port, path):
    with Http2(port, timeout=5) as client:
        answer = client.answer(client.ask(path, BODY, headers=[("content-type", "application/json")]))
        return answer.status if answer.ended else None


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("operation", ["converse", "converse-stream"])
@pytest.mark.parametrize("send", [over_http1, over_http2], ids=["http1", "http2"])
def test_every_nth_call_may_fail(preload, tmp_path, kind, operation, send):
    path, file = f"/model/{SONNET}/{operation}", tmp_path / "control"
    control = Control(file)
    index = KINDS[kind]
    settings = {
        "workers": 1,
        "queue": {"deadline": "2s"},
        "breaker": {"failures": 1000, "failure_share": 1.0},
        "log": {"level": "warn"},
    }
    model = {"time_to_first_token": "1ms", "tokens_per_second": 100000}
    with Stack(
        weir=settings,
        sim={"models": {"*": {"requests_per_minute": 1_000_000, "tokens_per_minute": 1_000_000_000, **model}}},
        env={"LD_PRELOAD": str(preload), "NTH_CALL_FILE": str(file)},
    ) as stack:
        port, pid = stack.weir.port, stack.weir.popen.pid

        def status():
            try:
                return send(port, path)
            except OSError:
                return None

        def served():
            return status() == 200

        for _ in range(20):  # what is made once is made
            assert served()
        wait_until(lambda: stack.weir.status()["waiting_calls"] == 0, 5)
        kept = descriptors(pid)
        n, unhit, inside = 0, 0, 0
        end = time.monotonic() + 60
        while unhit < 3 and time.monotonic() < end:
            n += 1
            control.arm(index, n)
            began = time.monotonic()
            came = status()
            unhit = unhit + 1 if control.armed(index) > 0 else 0
            control.arm(index, 0)
            stack.weir.check_alive()
            assert time.monotonic() - began < 4.5, f"the {n}-th {kind} ({control.failed()}) hangs its request ({came})"
            inside += came == 500
            if came != 200:
                assert served(), f"after the {n}-th {kind} failed, the next request was not served"
        assert unhit >= 3, f"{n} {kind}s and still not through one request"
        assert n > 10, "the shim sees no calls"
        assert served()
        if inside:  # an exception inside a request is in the log as any other end is
            assert stack.weir.line(status=500, outcome="server_error", error="InternalServerException")
        wait_until(lambda: descriptors(pid) <= kept + 2, 5, f"descriptors as before ({kept})")
        assert stack.weir.status()["waiting_calls"] == 0
        stack.weir.signal(15)
        assert stack.weir.popen.wait(15) == 0
