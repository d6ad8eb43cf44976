"""What weir does when the machine has no more to give: descriptors, memory, a log that nobody takes, time itself."""

import json
import os
import resource
import select
import signal
import socket
import subprocess
import threading
import time

import pytest
from harness import SONNET, WEIR, Load, ask, converse, free_port, raw, sanitized, say, wait_until
from http2_client import Http2

PATH = f"/model/{SONNET}/converse"
BODY = json.dumps(say("hi")).encode()
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


def resident(pid):
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS:"))


def test_without_descriptors_accepting_pauses_and_comes_back(start):
    s = start(weir={"workers": 1})
    early = None if sanitized() else Http2(s.weir.port)  # a sanitizer opens pipes to look at memory there
    if early:
        early.read()
    pid = s.weir.popen.pid
    used = len(os.listdir(f"/proc/{pid}/fd"))
    hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)[1]
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (used + 20, hard))
    held = [socket.create_connection(("127.0.0.1", s.weir.port), timeout=5) for _ in range(60)]
    wait_until(lambda: "accepting pauses" in s.weir.log(), 5, "the pause in the log")
    held[0].sendall(HEALTH)
    assert held[0].recv(100).startswith(b"HTTP/1.1 200"), "who is in is served"
    if early:
        assert early.answer(early.ask("/healthz", method="GET")).status == 200, "over HTTP/2, too"
        early.close()
    time.sleep(1.2)
    assert s.weir.log().count("accepting pauses") <= 4, "once a second is enough"
    for connection in held:
        connection.close()
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (used + 500, hard))
    wait_until(lambda: s.weir.converse().status == 200, 5, "service as before")


def test_without_memory_new_work_is_refused_and_the_old_goes_on(start, protocol):
    if sanitized():
        pytest.skip("a sanitizer's shadow needs all the address space")
    s = start(weir={"workers": 1, "limits": {"max_body": "32MiB", "max_buffered": "8GiB"}})
    pid = s.weir.popen.pid
    assert s.weir.converse().status == 200
    with open(f"/proc/{pid}/statm") as f:
        size = int(f.read().split()[0]) * resource.getpagesize()
    limit = size + (48 << 20)
    resource.prlimit(pid, resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
    outcomes = []

    def large():
        body = json.dumps(say("x" * (20 << 20))).encode()
        try:
            outcomes.append(s.weir.ask("POST", PATH, body, timeout=20).status)
        except OSError:
            outcomes.append(None)

    threads = [threading.Thread(target=large) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive(), "a call hangs"
    s.weir.check_alive()
    assert any(outcome != 200 for outcome in outcomes), "the limit was not felt: the test shows nothing"
    wait_until(lambda: s.weir.converse().status == 200, 10, "service after the squeeze")
    assert s.weir.status()["waiting_calls"] == 0


def test_a_log_that_nobody_takes_costs_lines_and_no_time(start):
    s = start(weir={"workers": 1})
    # A second gateway on the same file, but for its ports; its access log goes into a pipe that stays full.
    config = {**s.weir.config, "listen": [f"127.0.0.1:{free_port()}"], "admin": f"127.0.0.1:{free_port()}"}
    file = s.weir.file.with_name("second.yaml")
    file.write_text(json.dumps(config))
    port, admin = (int(config[k][0].split(":")[1] if k == "listen" else config[k].split(":")[1]) for k in ("listen", "admin"))
    process = subprocess.Popen([WEIR, "serve", "-c", str(file)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        def up():
            try:
                return ask(admin, "GET", "/readyz").status == 200
            except OSError:
                return False

        wait_until(up, 10, "the second gateway's start")
        count, done = 12_000, 0
        request = (f"POST /model/unknown/nothing HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n").encode()
        with socket.create_connection(("127.0.0.1", port), timeout=20) as c:
            for _ in range(count // 100):
                c.sendall(request * 100)
                got = 0
                while got < 100:
                    block = c.recv(1 << 20)
                    assert block
                    got += block.count(b"HTTP/1.1 404 ")
                done += got
        assert done == count
        text = ask(admin, "GET", "/metrics").body.decode()
        lost = [float(line.split()[1]) for line in text.splitlines() if line.startswith("weir_log_dropped_total ")]
        assert lost and lost[0] > 0, "nothing was lost: the pipe was not full"
    finally:
        process.kill()
        process.communicate()


def test_a_pause_of_the_whole_process_does_no_harm(start):
    quota = {"requests_per_minute": 600, "tokens_per_minute": 1_000_000_000, "time_to_first_token": "5ms", "tokens_per_second": 5000}
    s = start(weir={"workers": 1, "quotas": [{"model": SONNET, "requests_per_minute": 600, "tokens_per_minute": 1_000_000_000}]},
              sim={"models": {"*": quota}})
    client = s.weir.boto(attempts=1)
    converse(client)
    with Load(lambda: converse(client), threads=8) as load:
        wait_until(lambda: load.done > 20, 10)
        s.weir.signal(signal.SIGSTOP)
        time.sleep(2)
        s.weir.signal(signal.SIGCONT)
        before = load.done
        wait_until(lambda: load.done > before + 20, 10, "calls after the pause")
        load.stop()
    assert not load.failures, load.failures[:3]
    assert s.sim.truth(key="throttled_requests") == 0, "no burst after waking"


def test_a_slow_reader_costs_a_bounded_buffer(start):
    s = start(weir={"workers": 1})
    pid = s.weir.popen.pid
    body = json.dumps(say("[[output=200000]] [[rate=10000000]]", 400_000)).encode()
    request = (f"POST /model/{SONNET}/converse-stream HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n").encode() + body
    converse(s.weir.boto())
    before = resident(pid)
    slow = []
    for _ in range(20):
        c = socket.socket()
        c.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        c.connect(("127.0.0.1", s.weir.port))
        c.sendall(request)
        slow.append(c)
    for c in slow:
        assert select.select([c], [], [], 10)[0]
        c.recv(64)
    time.sleep(2)
    held = (resident(pid) - before) / len(slow)
    if not sanitized():  # which keeps what was freed
        assert held < 300_000, f"{held:.0f} bytes a slow reader"
    began = time.monotonic()
    assert converse(s.weir.boto())["stopReason"]
    assert time.monotonic() - began < 5
    for c in slow:
        c.close()
    wait_until(lambda: s.weir.metrics().sum("weir_connections", side="upstream", state="active") == 0, 10, "the upstreams' end")


def test_thousands_of_names_are_one_in_the_metrics(start):
    s = start()
    for i in range(500):
        s.weir.ask("POST", f"/model/unknown-{i}/nothing", b"")
    names = {labels.get("model") for labels in s.weir.metrics().labels("weir_requests_total")}
    assert len(names) <= 201


def test_odd_names_do_not_break_the_metrics_or_the_log(start):
    s = start()
    for name in ("a%22%7D%0Aweir_up%201", "a%5C", "%E2%80%A8", "a%0D%0Ab", "%F0%9F%98%80"):
        s.weir.ask("POST", f"/model/{name}/converse", BODY)
    assert s.weir.metrics().samples
    assert all(isinstance(line, dict) for line in s.weir.lines())


def test_two_clients_with_one_invocation_id_are_two_calls(start):
    s = start()
    headers = {"amz-sdk-invocation-id": "1c0b0c1e-0000-4000-8000-000000000000", "amz-sdk-request": "attempt=1; max=3"}
    done = []

    def call(name):
        done.append(s.weir.ask("POST", PATH, BODY, {**headers, "x-weir-client": name}).status)

    threads = [threading.Thread(target=call, args=(name,)) for name in ("a", "b", "a")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert done == [200, 200, 200]
