"""Reload and drain under load: nobody notices."""

import re
import threading

from harness import EAST, HUP, SONNET, TERM, WEST, Load, ask, converse, stream, text_of, wait_until


def caller(weir):
    client = weir.boto(attempts=1)

    def call():
        assert converse(client)["stopReason"]
        assert text_of(stream(client, "[[output=30]]"))

    return call


def test_reload_under_load(start):
    s = start()
    with Load(caller(s.weir), threads=8) as load:
        wait_until(lambda: load.done >= 10, 20, "the first answers")
        for n in range(5):
            reloads = s.weir.metrics().sum("weir_config_reloads_total", result="ok")
            s.weir.write({"queue": {"max_wait": f"{40 + n}s"}})
            s.weir.signal(HUP)
            wait_until(
                lambda: s.weir.metrics().sum("weir_config_reloads_total", result="ok") == reloads + 1,
                5, "the reload",
            )
            done = load.done
            wait_until(lambda: load.done > done + 5, 20, "answers after the reload")
    assert load.failures == []


def test_a_bad_file_is_refused_and_the_old_one_stays(start):
    s = start()
    s.weir.file.write_text("regions: {us-east-1: {}}\nqueue: {deadline: 5}\nunknown_key: 1\n")
    s.weir.signal(HUP)
    wait_until(lambda: s.weir.metrics().sum("weir_config_reloads_total", result="error") == 1, 5, "the refusal")
    for line in (2, 3):
        wait_until(lambda: re.search(rf"weir\.yaml:{line}:\d+: ", s.weir.log()), 5, f"the mistake of line {line}")
    reply = ask(s.weir.admin, "POST", "/reload")
    assert reply.status == 400 and b"weir.yaml:2:" in reply.body
    assert converse(s.weir.boto())["stopReason"]


def test_a_reload_keeps_what_the_limiter_knows(start):
    limits = {"requests_per_minute": 10, "tokens_per_minute": 1_000_000}
    s = start(weir={"quotas": [{"model": SONNET, "region": EAST, **limits}], "quota_window": "30s"})
    for _ in range(5):
        assert converse(s.weir.boto())["stopReason"]

    def used():
        return s.weir.metrics().sum("weir_quota_used", region=EAST, model=SONNET, kind="requests")

    assert used() == 5
    assert ask(s.weir.admin, "POST", "/reload").status == 200
    assert used() == 5


def test_a_reload_changes_the_route(start):
    s = start()
    assert s.weir.converse().headers["x-weir-target"].startswith(EAST)
    s.weir.write({"routes": [{"model": SONNET, "targets": [{"region": WEST}]}]})
    assert ask(s.weir.admin, "POST", "/reload").status == 200
    assert s.weir.converse().headers["x-weir-target"].startswith(WEST)


def test_drain_under_load(start):
    """As behind a load balancer: callers go elsewhere once /readyz says no, and lose nothing."""
    s = start(weir={"timeouts": {"drain_delay": "1s", "drain": "20s"}})
    call = caller(s.weir)
    with Load(call, threads=8) as load:
        wait_until(lambda: load.done >= 10, 20, "the first answers")
        s.weir.signal(TERM)
        wait_until(lambda: ask(s.weir.admin, "GET", "/readyz").status == 503, 5, "/readyz to turn")
        assert ask(s.weir.admin, "GET", "/healthz").status == 200
        load.stop()
    assert load.failures == []
    assert s.weir.popen.wait(25) == 0


def test_drain_finishes_what_is_under_way(start):
    s = start()
    long = Load(lambda: stream(s.weir.boto(attempts=1), "[[output=60]] [[rate=20]]"), threads=4)
    with long:
        wait_until(lambda: s.sim.truth(key="in_flight") == 4, 10, "four streams")
        s.weir.signal(TERM)
        long.stopping.set()
        assert s.weir.popen.wait(25) == 0
    assert long.failures == [] and long.done >= 4


def test_term_when_idle_is_quick_and_clean(start):
    s = start(weir={"timeouts": {"drain_delay": "0s"}})
    s.weir.signal(TERM)
    assert s.weir.popen.wait(5) == 0


def test_a_drain_refuses_who_still_waits_when_its_time_is_over(start):
    limits = {"requests_per_minute": 1, "tokens_per_minute": 1_000_000}
    s = start(
        regions=(EAST,),
        weir={
            "quotas": [{"model": SONNET, "region": EAST, **limits}],
            "routes": [{"model": SONNET, "targets": [{"region": EAST}]}],
            "timeouts": {"drain_delay": "100ms", "drain": "1s"},
        },
    )
    assert s.weir.converse().status == 200
    replies = []
    waiting = threading.Thread(target=lambda: replies.append(s.weir.converse(timeout=30)))
    waiting.start()
    wait_until(lambda: s.weir.status()["waiting_calls"] == 1, 5, "the call in the queue")
    s.weir.signal(TERM)
    waiting.join(15)
    assert [(r.status, r.error) for r in replies] == [(503, "ServiceUnavailableException")]
    assert b"shutting down" in replies[0].body
    assert s.weir.popen.wait(10) == 0
