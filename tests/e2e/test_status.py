"""`weir status`: what the gateway does, with an exit code by its health."""

import hashlib
import json
import signal
import subprocess

from harness import EAST, SONNET, WEST, WEIR, command, converse, wait_until

ROUTE = [{"model": SONNET, "targets": [{"region": EAST}, {"region": WEST}]}]
BREAKER = {"failures": 1, "open_for": "60s", "max_open": "60s"}


def status(weir, *args, env=None):
    return command("status", "--url", f"http://127.0.0.1:{weir.admin}", *args, env=env)


def break_east(s):
    """Its breaker opens for what several clients see."""
    s.sim.fault("unavailable", region=EAST)
    for name in "abcdefgh":
        converse(s.weir.boto(user_agent_appid=name))
    wait_until(lambda: any(t["region"] == EAST and t["breaker"] == "open" for t in s.weir.status()["targets"]))


def test_a_healthy_gateway(start):
    s = start(weir={"quotas": [{"model": SONNET, "requests_per_minute": 1000, "tokens_per_minute": 200000}]})
    converse(s.weir.boto(user_agent_appid="app"))
    text = status(s.weir)
    assert text.returncode == 0, text.stderr
    assert text.stdout.startswith("healthy: weir ")
    assert f"{EAST}/{SONNET}" in text.stdout and "1 of 1,000" in text.stdout and "of 200,000" in text.stdout
    answer = json.loads(status(s.weir, "--json").stdout)
    assert (answer["health"], answer["exit_code"], answer["reasons"]) == ("healthy", 0, [])
    assert answer["status"]["targets"][0]["region"] == EAST


def test_an_open_breaker_degrades_it(start):
    s = start(weir={"routes": ROUTE, "breaker": BREAKER})
    break_east(s)
    text = status(s.weir)
    assert text.returncode == 1
    assert text.stdout.startswith("degraded: ")
    assert f"{EAST}/{SONNET}: the breaker is open" in text.stdout
    answer = status(s.weir, "--json")
    assert answer.returncode == 1 and json.loads(answer.stdout)["health"] == "degraded"


def test_nobody_there():
    text = command("status", "--url", "http://127.0.0.1:1")
    assert text.returncode == 2 and "weir status: http://127.0.0.1:1" in text.stderr and not text.stdout
    answer = command("status", "--url", "http://127.0.0.1:1", "--json")
    assert answer.returncode == 2 and json.loads(answer.stdout)["health"] == "down"


def test_a_drain_is_down(start):
    s = start(weir={"timeouts": {"drain_delay": "60s"}})
    s.weir.signal(signal.SIGTERM)
    wait_until(lambda: status(s.weir).returncode == 2, what="the drain")
    assert "it drains" in status(s.weir).stdout


def test_the_admin_key(start):
    s = start(weir={"admin_key_sha256": hashlib.sha256(b"open sesame").hexdigest()})
    refused = status(s.weir)
    assert refused.returncode == 2 and "WEIR_ADMIN_KEY" in refused.stderr
    assert status(s.weir, env={"WEIR_ADMIN_KEY": "open sesame"}).returncode == 0


def test_wrong_use(plain):
    assert status(plain.weir, "--watch", "--every", "1ms").returncode == 2
    assert command("status", "--url", "nonsense").returncode == 2


def test_watching_gives_a_line_an_answer_until_it_is_stopped(start):
    s = start(weir={"routes": ROUTE, "breaker": BREAKER})
    watch = subprocess.Popen([WEIR, "status", "--url", f"http://127.0.0.1:{s.weir.admin}", "--watch", "--json",
                              "--every", "100ms"], stdout=subprocess.PIPE, text=True)
    try:
        assert json.loads(watch.stdout.readline())["health"] == "healthy"
        break_east(s)
        for line in watch.stdout:
            if json.loads(line)["health"] == "degraded":
                break
        watch.send_signal(signal.SIGTERM)
        watch.stdout.read()
        assert watch.wait(10) == 1, "the code of the last answer"
    finally:
        watch.kill()
        watch.wait()
