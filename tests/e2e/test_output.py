"""max_tokens on its way through: caps, right-sizing and its repeat; and traffic that is only observed."""

import json
import signal

from harness import EAST, SONNET, WEST, stream, text_of, wait_until

PLENTY = {"requests_per_minute": 100_000, "tokens_per_minute": 100_000_000}


def short_answers(mean, spread=0.05, **more):
    return {"models": {"*": {**PLENTY, "time_to_first_token": "1ms", "tokens_per_second": 100_000,
                             "output_tokens": {"mean": mean, "spread": spread}, **more}}}


def route(**settings):
    return {"routes": [{"model": SONNET, "targets": [{"region": EAST}], **settings}],
            "quotas": [{"model": SONNET, **PLENTY}]}


def test_a_cap_is_written_into_the_body(start):
    s = start(weir=route(max_output=20), sim=short_answers(400))
    reply = s.weir.converse(max_tokens=300)
    assert reply.status == 200
    assert reply.json()["usage"]["outputTokens"] == 20 and reply.json()["stopReason"] == "max_tokens"
    bare = s.weir.ask("POST", f"/model/{SONNET}/converse",
                      json.dumps({"messages": [{"role": "user", "content": [{"text": "hi"}]}]}),
                      {"Content-Type": "application/json"})
    assert bare.json()["usage"]["outputTokens"] == 20
    line = s.weir.line(id=bare.headers["x-weir-request-id"])
    assert line["max_tokens"] is None and line["reserved"] < 100


def test_no_spelling_passes_a_cap(start):
    s = start(weir=route(max_output=20), sim=short_answers(400))
    body = '{"messages": [{"role": "user", "content": [{"text": "hi"}]}], %s}'
    path = f"/model/{SONNET}/converse"
    for twice in ('"inferenceConfig": {"maxTokens": 5, "maxTokens": 300.0}',
                  '"inferenceConfig": {"maxTokens": 5, "max\\u0054okens": 300}',
                  '"inferenceConfig": {"maxTokens": 5}, "inferenceConfig": {"maxTokens": 300}'):
        reply = s.weir.ask("POST", path, body % twice)
        assert (reply.status, reply.error) == (400, "ValidationException")
        assert "more than once" in reply.json()["message"]
    for large in ('300.0', '3e2', '300'):
        reply = s.weir.ask("POST", path, body % f'"inferenceConfig": {{"max\\u0054okens": {large}}}')
        assert reply.status == 200 and reply.json()["usage"]["outputTokens"] == 20
    for name, value in (("model", '"m", "model": "n"'), ("stream", 'false, "stream": true')):
        reply = s.weir.ask("POST", "/v1/chat/completions", body % f'"{name}": {value}')
        assert reply.status == 400 and f"`{name}` more than once" in reply.body.decode()


def test_right_sizing_lowers_and_repeats(start):
    s = start(weir=route(right_size=True), sim=short_answers(50))
    for _ in range(210):
        assert s.weir.converse(max_tokens=8000).status == 200
    target = s.weir.status()["targets"][0]
    enough = target["max_tokens"]["enough"]
    assert 70 <= enough <= 120
    line = s.weir.line(id=s.weir.converse(max_tokens=8000).headers["x-weir-request-id"])
    assert line["reserved"] < 300 and line["max_tokens"] == 8000
    assert target["max_tokens"]["truncated"] == 0


def learnt_too_little(start):
    """Weir has seen answers of 50 tokens alone, because their callers asked for no more."""
    s = start(weir=route(right_size=True), sim=short_answers(3000))
    for _ in range(210):
        assert s.weir.converse(max_tokens=50).json()["usage"]["outputTokens"] == 50
    return s


def test_an_answer_cut_by_right_sizing_comes_whole(start):
    s = learnt_too_little(start)
    before = s.sim.truth(EAST, SONNET, "accepted")
    reply = s.weir.converse(max_tokens=8000)
    assert reply.status == 200 and reply.json()["stopReason"] == "end_turn"
    assert reply.json()["usage"]["outputTokens"] > 2000
    assert reply.headers["x-weir-attempts"] == "2"
    assert s.sim.truth(EAST, SONNET, "accepted") - before == 2
    assert s.weir.status()["targets"][0]["max_tokens"]["truncated"] == 1
    line = s.weir.line(id=reply.headers["x-weir-request-id"])
    assert line["output"] > reply.json()["usage"]["outputTokens"]  # both are paid for
    assert s.weir.metrics().sum("weir_requests_total", outcome="ok") == 211


def test_a_stream_is_never_repeated(start):
    s = learnt_too_little(start)
    before = s.sim.truth(EAST, SONNET, "accepted")
    events = stream(s.weir.boto(), max_tokens=8000)
    assert [e["messageStop"]["stopReason"] for e in events if "messageStop" in e] == ["max_tokens"]
    assert s.sim.truth(EAST, SONNET, "accepted") - before == 1
    enough = s.weir.status()["targets"][0]["max_tokens"]["enough"]
    for _ in range(16):  # and the next are given more
        s.weir.converse(max_tokens=50)
    assert s.weir.status()["targets"][0]["max_tokens"]["enough"] > enough


def test_a_streams_client_gets_the_stop_reason(start):
    s = start(weir=route(max_output=20), sim=short_answers(400))
    events = stream(s.weir.boto(), max_tokens=300)
    assert text_of(events)
    assert [e["messageStop"]["stopReason"] for e in events if "messageStop" in e] == ["max_tokens"]


def test_observed_traffic_goes_on_as_it_came(start):
    s = start(
        weir={"mode": "observe", "quota_window": "20s", "queue": {"deadline": "3s"},
              "routes": [{"model": SONNET, "targets": [{"region": EAST}, {"region": WEST}], "max_output": 20}],
              "quotas": [{"model": SONNET, "requests_per_minute": 5, "tokens_per_minute": 1_000_000}]},
        sim=short_answers(50))
    for _ in range(30):
        reply = s.weir.converse(max_tokens=300, headers={"x-weir-client": "etl"})
        assert reply.status == 200
        assert reply.headers["x-weir-target"] == f"{EAST}/{SONNET}" and reply.headers["x-weir-attempts"] == "1"
        assert reply.json()["usage"]["outputTokens"] > 20  # nothing was capped
    assert s.sim.arrived(EAST) == 30 and s.sim.arrived(WEST) == 0
    rows = s.weir.status()["observed"]
    row = next(r for r in rows if r["client"] == "etl")
    assert row["model"] == SONNET and row["calls"] == 30
    assert row["would_move"] + row["would_wait"] + row["would_refuse"] >= 10
    # Thirty in a window of five, in each of two Regions: it says what would do.
    advice = next(a for a in s.weir.status()["advice"] if a["model"] == SONNET)
    assert advice["raise_requests_to"] and "Raise requests_per_minute from 10 to" in advice["text"], advice
    assert advice["raise_tokens_to"] is None
    m = s.weir.metrics()
    assert m.sum("weir_observed_total", client="etl", verdict="seen") == 30
    assert m.sum("weir_requests_total", outcome="ok") == 30


def test_observed_errors_come_back_as_they_are(start):
    s = start(weir={"mode": "observe", **route()}, sim=short_answers(10))
    s.sim.fault("unavailable", EAST)
    before = s.sim.arrived(EAST)
    reply = s.weir.converse()
    assert reply.status == 503 and reply.error == "ServiceUnavailableException"
    assert s.sim.arrived(EAST) == before + 1  # once, no retry
    s.sim.heal()
    assert s.weir.converse().status == 200


def test_a_route_may_be_observed_alone_and_enforced_by_a_reload(start):
    s = start(weir=route(mode="observe", max_output=20), sim=short_answers(50))
    assert s.weir.converse(max_tokens=300).json()["usage"]["outputTokens"] > 20
    s.weir.write(route(max_output=20))
    s.weir.signal(signal.SIGHUP)
    wait_until(lambda: s.weir.converse(max_tokens=300).json()["usage"]["outputTokens"] == 20, what="the reload")
