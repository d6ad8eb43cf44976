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
from harness import SONNET, WEIR, Stack, raw, say, wait_until

HERE = Path(__file__).parent
KINDS = {"allocation": 0, "system-call": 1}


def sanitized():
    program = Path(WEIR).read_bytes()
    return b"__asan_init" in program or b"__tsan_init" in program


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


def request(stream):
    body = json.dumps(say("hi [[output=5]]")).encode()
    path = "converse-stream" if stream else "converse"
    return (
        f"POST /model/{SONNET}/{path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_every_nth_call_may_fail(preload, tmp_path, kind, stream):
    file = tmp_path / "control"
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

        def served():
            try:
                return raw(port, request(stream), timeout=5).startswith(b"HTTP/1.1 200 ")
            except OSError:
                return False

        for _ in range(20):  # what is made once is made
            assert served()
        wait_until(lambda: stack.weir.status()["waiting_calls"] == 0, 5)
        kept = descriptors(pid)
        n, unhit = 0, 0
        end = time.monotonic() + 60
        while unhit < 3 and time.monotonic() < end:
            n += 1
            control.arm(index, n)
            began = time.monotonic()
            try:
                answer = raw(port, request(stream), timeout=5)
            except OSError:
                answer = b""
            unhit = unhit + 1 if control.armed(index) > 0 else 0
            control.arm(index, 0)
            stack.weir.check_alive()
            assert time.monotonic() - began < 4.5, f"the {n}-th {kind} ({control.failed()}) hangs its request: {answer[:2000]!r}"
            assert answer == b"" or answer.startswith(b"HTTP/1.1 "), f"the {n}-th {kind}: {answer[:200]!r}"
            if not answer.startswith(b"HTTP/1.1 200 "):
                assert served(), f"after the {n}-th {kind} failed, the next request was not served"
        assert unhit >= 3, f"{n} {kind}s and still not through one request"
        assert n > 10, "the shim sees no calls"
        assert served()
        wait_until(lambda: descriptors(pid) <= kept + 2, 5, f"descriptors as before ({kept})")
        assert stack.weir.status()["waiting_calls"] == 0
        stack.weir.signal(15)
        assert stack.weir.popen.wait(15) == 0
