"""What a reload takes over, what it refuses, and what it says of both."""

import json
import os
import socket
import ssl
import threading
import time
from pathlib import Path

import trustme

from harness import EAST, HUP, SONNET, ask, say, wait_until
from test_upstream_tls import Relay


def write(blob, path):
    blob.write_to_path(str(path))
    return str(path)


def install(authority, folder, name="server"):
    """A new certificate of `authority` in the same two files as ever."""
    made = authority.issue_cert("localhost")
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    with open(certificate, "wb") as file:
        file.write(b"".join(blob.bytes() for blob in made.cert_chain_pems))
    write(made.private_key_pem, key)
    return str(certificate), str(key)


def ask_tls(port, context, path=f"/model/{SONNET}/converse"):
    """The certificate's bytes and the status; SSLError where it is not trusted."""
    body = json.dumps(say("hi", 20)).encode()
    with socket.create_connection(("127.0.0.1", port), timeout=20) as raw:
        with context.wrap_socket(raw, server_hostname="localhost") as client:
            client.sendall(
                f"POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
            )
            answer = b""
            while block := client.recv(65536):
                answer += block
            return client.getpeercert(True), int(answer.split()[1])


def reload(weir, status=200):
    reply = ask(weir.admin, "POST", "/reload")
    assert reply.status == status, reply.body
    return reply.json() if status == 200 else reply.body.decode()


def test_a_new_certificate_is_used_by_the_next_handshake(start, tmp_path):
    authority = trustme.CA()
    context = ssl.create_default_context()
    authority.configure_trust(context)
    certificate, key = install(authority, tmp_path)
    s = start(weir={"tls": {"certificate": certificate, "key": key}})
    first, status = ask_tls(s.weir.port, context)
    assert status == 200
    install(authority, tmp_path)
    reload(s.weir)
    second, status = ask_tls(s.weir.port, context)
    assert status == 200 and second != first

    # A key that does not belong: refused, named, and the old pair stays.
    write(trustme.CA().issue_cert("localhost").private_key_pem, key)
    said = reload(s.weir, 400)
    assert key in said
    assert ask_tls(s.weir.port, context) == (second, 200)
    s.weir.signal(HUP)
    wait_until(lambda: s.weir.metrics().sum("weir_config_reloads_total", result="error") == 2, 5, "the refusal")
    wait_until(lambda: key in s.weir.log(), 5, "the refusal in the log, which a thread of its own writes")
    assert ask_tls(s.weir.port, context) == (second, 200)


def test_files_are_watched_when_asked(start, tmp_path):
    authority = trustme.CA()
    context = ssl.create_default_context()
    authority.configure_trust(context)
    certificate, key = install(authority, tmp_path)
    alias = tmp_path / "alias"
    alias.write_text(SONNET)
    s = start(weir={"tls": {"certificate": certificate, "key": key}, "watch": True, "aliases": {"nick": f"${{file:{alias}}}"}})
    first, status = ask_tls(s.weir.port, context)
    assert status == 200
    install(authority, tmp_path)
    wait_until(lambda: ask_tls(s.weir.port, context)[0] != first, 15, "the new certificate")
    # An error leaves the old configuration in force, and a file that mends it is enough.
    other = tmp_path / "other"
    s.weir.write({"aliases": {"nick": f"${{file:{other}}}"}})
    wait_until(lambda: s.weir.metrics().sum("weir_config_reloads_total", result="error") == 1, 15, "the refusal")
    assert ask_tls(s.weir.port, context, "/model/nick/converse")[1] == 200
    before = s.weir.metrics().sum("weir_config_reloads_total", result="ok")
    other.write_text(SONNET)
    wait_until(lambda: s.weir.metrics().sum("weir_config_reloads_total", result="ok") == before + 1, 15, "the reload")
    assert "watch: configuration" in s.weir.log()


def test_files_are_not_watched_unless_asked(start):
    s = start()
    s.weir.write({"queue": {"max_waiting": 7}})
    time.sleep(5)  # two looks and more, if there were any
    assert s.weir.metrics().sum("weir_config_reloads_total") == 0


def test_a_corrected_ca_is_trusted(start, tmp_path):
    s = start(regions=(EAST,))
    good, wrong = trustme.CA(), trustme.CA()
    relay = Relay(s.sim.ports[EAST], good.issue_cert("localhost"))
    ca = tmp_path / "ca.pem"
    write(wrong.cert_pem, ca)
    s.weir.write(
        {
            "regions": {EAST: {"endpoint": f"https://localhost:{relay.port}", "ca": str(ca)}},
            "routes": [{"model": SONNET, "targets": [{"region": EAST}]}],
            "breaker": {"failures": 1000},
            "queue": {"deadline": "1s"},
        }
    )
    reload(s.weir)
    assert s.weir.converse().status >= 500
    write(good.cert_pem, ca)
    assert reload(s.weir)["applied"] == []  # the file is the same, what it names is not
    assert s.weir.converse().status == 200
    ca.write_text("not a certificate")
    assert str(ca) in reload(s.weir, 400)
    assert s.weir.converse().status == 200


def test_limits_of_connections_are_taken_over(start):
    s = start(weir={"limits": {"max_header": "8KiB"}})
    long = {"x-long": "y" * 20_000}
    assert s.weir.converse(headers=long).status == 431
    s.weir.write({"limits": {"max_header": "64KiB"}, "timeouts": {"client_head": "300ms"}})
    assert set(reload(s.weir)["applied"]) == {"limits.max_header (new connections)", "timeouts.client_head"}
    assert s.weir.converse(headers=long).status == 200
    with socket.create_connection(("127.0.0.1", s.weir.port), timeout=20) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHo")  # and no more: closed long before the 10 s of the default
        assert client.recv(1000).startswith(b"HTTP/1.1 408") or client.recv(1) == b""


def test_what_needs_a_restart_is_named_everywhere(start):
    s = start()
    before = s.weir.status()["configuration"]
    s.weir.write({"workers": 3, "listen": ["127.0.0.1:1"], "queue": {"max_wait": "9s"}})
    done = reload(s.weir)
    assert done["needs_restart"] == ["listen", "workers"] and done["applied"] == ["queue.max_wait"]
    now = s.weir.status()["configuration"]
    assert now["needs_restart"] == ["listen", "workers"]
    assert now["hash"] == done["configuration"] != before["hash"]
    metrics = s.weir.metrics()
    assert metrics.sum("weir_config_restart_needed") == 2
    assert metrics.sum("weir_config_info", hash=now["hash"]) == 1
    wait_until(lambda: "next start" in s.weir.log(), 5, "the log line")
    line = next(line for line in s.weir.log().splitlines() if "next start" in line)
    assert "listen, workers" in line and "POST /reload from 127.0.0.1" in line
    assert s.weir.converse().status == 200


def test_the_log_level_changes(start):
    s = start(weir={"log": {"level": "error"}})
    reload(s.weir)
    s.weir.write({"log": {"level": "info"}})
    reload(s.weir)
    wait_until(lambda: s.weir.log().count("is in force") == 1, 5, "the line of the second reload alone")


def test_reloads_leave_nothing_behind(start):
    s = start()
    process = Path(f"/proc/{s.weir.popen.pid}")

    def held():
        return len(os.listdir(process / "fd")), len(os.listdir(process / "task"))

    def round_of(n):
        s.weir.write({"queue": {"max_wait": f"{5 + n % 30}s"}, "routes": [
            {"model": SONNET, "targets": [{"region": r} for r in list(s.sim.ports)[:: 1 if n % 2 else -1]]}]})
        reload(s.weir)
        assert s.weir.converse().status == 200

    for n in range(10):
        round_of(n)
    before = held()
    for n in range(60):
        round_of(n)
    after = held()
    assert after[1] == before[1]
    assert after[0] <= before[0] + 6  # an upstream connection a worker and Region, made in either half
    assert s.weir.status()["in_flight"] == 0


def test_a_slow_reload_holds_nobody_up(start, tmp_path):
    """${file:...} of a pipe that nobody writes to would block whoever opens it; a regular file on a slow disk does likewise. Here the
    reload is large instead: calls go on while it is parsed."""
    s = start()
    many = [{"name": f"client-{n}", "share": 1 + n % 7, "models": ["us.*"] * 4} for n in range(4000)]
    s.weir.write({"clients": many})
    done = []
    thread = threading.Thread(target=lambda: done.append(reload(s.weir)))
    thread.start()
    while thread.is_alive():
        assert ask(s.weir.admin, "GET", "/healthz").status == 200  # the admin port lives on the same loop
        assert s.weir.converse(timeout=10).status == 200
    thread.join()
    assert done[0]["applied"] == ["clients"]


