"""`weir health`: what a container's health check runs."""

import json
import socket

import pytest
from harness import TERM, Stack, ask, command, free_port, wait_until


def health(*args, env=None):
    done = command("health", *args, env=env)
    return done.returncode, done.stdout + done.stderr


def test_a_ready_gateway_is_found_by_its_file_its_variables_and_its_address(plain):
    weir = plain.weir
    for args, env in [
        (["-c", str(weir.file)], {}),
        ([], {"WEIR_ADMIN": f"127.0.0.1:{weir.admin}"}),
        ([], {"WEIR_ADMIN": f"0.0.0.0:{weir.admin}"}),
        (["--url", weir.url], {}),
        (["--url", f"http://127.0.0.1:{weir.admin}/"], {}),
        (["-c", str(weir.file)], {"http_proxy": "http://127.0.0.1:1", "HTTP_PROXY": "http://127.0.0.1:1"}),
    ]:
        assert health(*args, env=env) == (0, "ready\n"), (args, env)


def test_an_admin_port_with_a_key(start):
    stack = start(weir={"admin_key_sha256": "0" * 64})
    assert ask(stack.weir.admin, "GET", "/metrics").status == 401
    assert health("-c", str(stack.weir.file)) == (0, "ready\n")


def test_an_error_in_the_file_since_the_start_is_not_the_gateways(start):
    stack = start()
    stack.weir.write({"retrys": {}})
    assert health("-c", str(stack.weir.file)) == (0, "ready\n")


def test_a_gateway_that_drains_is_not_ready(start):
    stack = start(weir={"timeouts": {"drain_delay": "5s", "drain": "1s"}})
    stack.weir.signal(TERM)
    wait_until(lambda: health("-c", str(stack.weir.file)) == (1, "weir health: draining\n"), what="draining")


def test_no_gateway():
    code, text = health("--url", f"http://127.0.0.1:{free_port()}")
    assert code == 1 and "not running" in text and "connect" in text


def test_another_server_is_not_weir(plain):
    code, text = health("--url", f"http://127.0.0.1:{plain.sim.admin}")
    assert code == 1 and "not weir" in text


def test_a_gateway_that_hangs_is_given_up():
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        code, text = health("--url", f"http://127.0.0.1:{silent.getsockname()[1]}", "--timeout", "300ms")
    assert code == 1 and "not running" in text


@pytest.mark.parametrize("args", [
    ["--url", "ftp://h"], ["--url", "h:1"], ["-c", "/nonexistent.yaml"], ["--timeout", "2"], ["--timeout", "0s"], ["more"]])
def test_wrong_use(args):
    assert health(*args)[0] == 2


def test_a_listener_with_tls_and_no_admin_port(tmp_path):
    import subprocess

    pair = {"certificate": str(tmp_path / "server.pem"), "key": str(tmp_path / "server.key")}
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", pair["key"],
                    "-out", pair["certificate"], "-subj", "/CN=weir.internal", "-days", "2"], check=True, capture_output=True)
    with Stack(weir={"tls": pair}) as stack:
        file = tmp_path / "health.yaml"
        file.write_text(json.dumps(stack.weir.config | {"admin": ""}))
        assert health("-c", str(file)) == (0, "ready\n")
