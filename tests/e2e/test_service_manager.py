"""`weir serve` under systemd with Type=notify: a datagram socket stands for the service manager."""

import os
import signal
import socket
import subprocess
import threading

import pytest
from harness import HUP, SONNET, TERM, WEIR, Gateway, Sim, ask, say, wait_until


class Manager:
    def __init__(self, name):
        self.name = name
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + name[1:] if name.startswith("@") else name)
        self.socket.settimeout(10)

    def next(self, skip=()):
        """The next message as a dict, without those of the watchdog if `skip` says so."""
        while True:
            message = dict(line.split("=", 1) for line in self.socket.recv(4096).decode().split("\n"))
            if not message.keys() & set(skip):
                return message


@pytest.fixture(params=["path", "abstract"])
def manager(request, tmp_path):
    manager = Manager(str(tmp_path / "notify") if request.param == "path" else f"@weir-e2e-{os.getpid()}")
    yield manager
    manager.socket.close()


def test_ready_reload_and_stop(manager, tmp_path):
    with Sim(tmp_path) as sim, Gateway(tmp_path, sim, env={"NOTIFY_SOCKET": manager.name}) as weir:
        ready = manager.next()
        assert ready["READY"] == "1" and str(weir.port) in ready["STATUS"]
        weir.signal(HUP)
        reloading = manager.next()
        assert reloading["RELOADING"] == "1" and int(reloading["MONOTONIC_USEC"]) > 0
        assert manager.next()["READY"] == "1"
        weir.write({"retrys": {}})
        weir.signal(HUP)  # refused: the old configuration serves on
        assert manager.next()["RELOADING"] == "1" and manager.next()["READY"] == "1"
        assert ask(weir.admin, "POST", "/reload").status == 400  # tells as much
        assert manager.next()["RELOADING"] == "1" and manager.next()["READY"] == "1"
        weir.signal(TERM)
        stopping = manager.next()
        # drain_delay 300 ms, drain 10 s, and what ends after them
        assert stopping["STOPPING"] == "1" and int(stopping["EXTEND_TIMEOUT_USEC"]) > 10_300_000
        assert weir.popen.wait(10) == 0


def test_ready_is_said_when_both_ports_answer(manager, tmp_path):
    with Sim(tmp_path) as sim:
        weir = Gateway(tmp_path, sim, env={"NOTIFY_SOCKET": manager.name})
        try:
            assert manager.next()["READY"] == "1"
            assert ask(weir.port, "GET", "/readyz").status == ask(weir.admin, "GET", "/readyz").status == 200
        finally:
            weir.__exit__()


def test_the_watchdog_hears_of_a_gateway_that_lives_also_in_its_drain(tmp_path):
    manager = Manager(str(tmp_path / "notify"))
    env = {"NOTIFY_SOCKET": manager.name, "WATCHDOG_USEC": "200000"}
    with Sim(tmp_path) as sim, Gateway(tmp_path, sim, {"timeouts": {"drain_delay": "60s"}}, env) as weir:
        assert "READY" in manager.next(skip=["WATCHDOG"])
        assert manager.next() == manager.next() == {"WATCHDOG": "1"}
        weir.signal(signal.SIGSTOP)
        manager.socket.settimeout(1)
        with pytest.raises(TimeoutError):
            for _ in range(1000):  # what was sent before the stop
                manager.next()
        weir.signal(signal.SIGCONT)
        manager.socket.settimeout(10)
        assert manager.next() == {"WATCHDOG": "1"}
        weir.signal(TERM)
        assert "STOPPING" in manager.next(skip=["WATCHDOG"])
        assert manager.next() == manager.next() == {"WATCHDOG": "1"}
    manager.socket.close()


# ---- socket activation

class Activated(Gateway):
    """Gets the socket of its port as descriptor 3, as systemd passes it."""

    def __init__(self, folder, sim, passed, settings):
        self.passed = passed
        super().__init__(folder, sim, settings)

    def start(self, args, **more):
        fd = self.passed.fileno()
        script = f'[ {fd} = 3 ] || exec 3<&{fd} {fd}<&-; LISTEN_FDS=1 LISTEN_PID=$$ exec "$@"'
        return subprocess.Popen(["bash", "-c", script, "bash", WEIR, *args], pass_fds=[fd], **more)


def listening():
    passed = socket.socket()
    passed.bind(("127.0.0.1", 0))
    passed.listen(100)
    return passed, f"127.0.0.1:{passed.getsockname()[1]}"


def test_a_restart_refuses_no_connection_on_a_socket_of_systemds(tmp_path):
    passed, address = listening()
    port = int(address.split(":")[1])
    done, failures, stop = [], [], threading.Event()

    def call():
        while not stop.is_set():
            try:
                reply = ask(port, "POST", f"/model/{SONNET}/converse", say("hi", 20))
                (done if reply.status == 200 else failures).append(reply.status)
            except Exception as problem:
                failures.append(problem)

    with passed, Sim(tmp_path) as sim:
        threads = [threading.Thread(target=call) for _ in range(4)]
        with Activated(tmp_path, sim, passed, {"listen": address}) as first:
            for thread in threads:
                thread.start()
            wait_until(lambda: len(done) > 20, what="calls by the first")
            first.signal(TERM)
            assert first.popen.wait(20) == 0
        by_the_first = len(done)
        with Activated(tmp_path, sim, passed, {"listen": address}):
            wait_until(lambda: len(done) > by_the_first + 20, what="calls by the second")
            stop.set()
            for thread in threads:
                thread.join(20)
        assert failures == []


def test_a_socket_for_another_address_is_named_and_closed(tmp_path):
    passed, address = listening()
    with Sim(tmp_path) as sim, Activated(tmp_path, sim, passed, {}) as weir:
        passed.close()
        wait_until(lambda: f"systemd passed a socket for {address}" in weir.log(), what="the warning")
        with pytest.raises(ConnectionRefusedError):
            ask(int(address.split(":")[1]), "GET", "/healthz")
