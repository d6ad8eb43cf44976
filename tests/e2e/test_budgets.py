"""Budgets of clients: warned, refused or lowered, over restarts and over several instances."""

import shutil
import signal
import threading
from hashlib import sha256

import anthropic
import openai
import pytest
from botocore.exceptions import ClientError
from fleet import Fleet, Redis
from harness import EAST, SONNET, TERM, Gateway, converse, say, stream, wait_until

# A token of output is a cent: an answer of the simulator has 20, so that it costs about 20 cents.
PRICES = [{"models": ["*"], "input": 10, "output": 10_000}]
SIM = {"models": {"*": {"requests_per_minute": 1_000_000, "tokens_per_minute": 1_000_000_000, "output_burndown": 1,
                        "time_to_first_token": "20ms", "tokens_per_second": 2000,
                        "output_tokens": {"mean": 20, "spread": 0}}}}


def client(name, **budget):
    return {"name": name, "key_sha256": [sha256(name.encode()).hexdigest()], **({"budget": budget} if budget else {})}


def by(name):
    return {"authorization": f"Bearer {name}"}


def settings(*clients, **more):
    return {"clients": [*clients, client("other")], "prices": PRICES, **more}


def budget(weir, name="etl"):
    return next(one["budget"] for one in weir.status()["clients"] if one["name"] == name)


def ask(weir, name="etl", max_tokens=30):
    return weir.converse(max_tokens=max_tokens, headers=by(name))


def spend(weir, name="etl", most=50):
    """Calls until one is refused, and how many were served."""
    for served in range(most):
        reply = ask(weir, name)
        if reply.status != 200:
            return served, reply
    raise AssertionError(f"{most} calls were served")


def test_a_budget_warns_and_then_refuses_its_client_alone(start):
    stack = start(weir=settings(client("etl", per_day=1, per_month=500)), sim=SIM, regions=(EAST,))
    weir = stack.weir
    served, refused = spend(weir)
    assert 4 <= served <= 6
    assert refused.status == 400
    assert refused.error == "ServiceQuotaExceededException"
    assert refused.headers["x-weir-budget"] == "spent"
    assert 0 < int(refused.headers["x-weir-retry-after"]) <= 86_400
    assert "of $1.00 for the day. It renews at " in refused.json()["message"]
    arrived = stack.sim.arrived()
    assert ask(weir, "other").status == 200
    assert "x-weir-budget" not in ask(weir, "other").headers
    assert stack.sim.arrived() == arrived + 2
    state = budget(weir)
    assert state["state"] == state["day"]["state"] == "spent"
    assert state["month"]["state"] == "fine"
    assert state["day"]["usd"] == 1 and state["then"] == "refuse" and not state["shared"]
    assert state["day"]["spent_usd"] == pytest.approx(state["month"]["spent_usd"])
    assert 1 <= state["day"]["spent_usd"] < 1.25, "by less than a call too much"
    assert state["day"]["under_way_usd"] == 0
    metrics = weir.metrics()
    assert metrics.sum("weir_budget_used_ratio", client="etl", period="day") == pytest.approx(state["day"]["spent_usd"])
    assert metrics.sum("weir_budget_usd", client="etl", period="month") == 500
    assert metrics.sum("weir_refusals_total", client="etl", reason="budget") == 1
    assert weir.line(status=400)["reason"] == "budget"
    wait_until(lambda: "its calls are refused until" in weir.log(), 5, "the log's word")
    lines = [line for line in weir.log().splitlines() if "budget: client etl" in line]
    assert 1 <= len(lines) <= 2, lines  # a second may have been enough for both steps


def test_answers_near_the_end_say_so(start):
    weir = start(weir=settings(client("etl", per_month=1, warn_at=0.3)), sim=SIM, regions=(EAST,)).weir
    assert "x-weir-budget" not in ask(weir).headers
    ask(weir)
    wait_until(lambda: budget(weir)["state"] == "warned", 5, "the bill")
    assert ask(weir).headers["x-weir-budget"] == "warned"
    wait_until(lambda: "for the month (" in weir.log(), 5, "the log's word")


def test_sdks_do_not_repeat_it(start):
    stack = start(weir=settings(client("etl", per_day=0.1)), sim=SIM, regions=(EAST,))
    weir = stack.weir
    assert ask(weir).status == 200
    arrived = stack.sim.arrived()
    for call in (converse, stream):
        with pytest.raises(ClientError, match="the budget of this client is spent") as caught:
            boto = weir.boto(mode="standard", attempts=4)
            boto.meta.events.register("before-sign.*", lambda request, **_: request.headers.add_header("x-api-key", "etl"))
            call(boto)
        assert caught.value.response["Error"]["Code"] == "ServiceQuotaExceededException"
        assert caught.value.response["ResponseMetadata"]["RetryAttempts"] == 0
    with pytest.raises(openai.RateLimitError) as caught:
        openai.OpenAI(base_url=weir.url + "/openai/v1", api_key="etl").chat.completions.create(
            model=SONNET, max_tokens=30, messages=[{"role": "user", "content": "hi"}])
    assert caught.value.code == "insufficient_quota"
    with pytest.raises(anthropic.RateLimitError, match="budget"):
        anthropic.Anthropic(base_url=weir.url + "/anthropic", api_key="etl").messages.create(
            model=SONNET, max_tokens=30, messages=[{"role": "user", "content": "hi"}])
    assert stack.sim.arrived() == arrived
    assert weir.metrics().sum("weir_refusals_total", reason="budget") == 4, "each was refused once"
    count = {"input": {"converse": {"messages": say("hi")["messages"]}}}
    assert weir.ask("POST", f"/model/{SONNET}/count-tokens", count, by("etl")).headers.get("x-weir-budget") is None


@pytest.mark.parametrize("model", [SONNET, "smart"])
def test_calls_at_once_do_not_overshoot_by_much(start, model):
    slow = {"models": {"*": {**SIM["models"]["*"], "time_to_first_token": "1s"}}}
    routes = [{"model": "smart", "targets": [{"region": EAST, "model": SONNET}]}]
    prices = [{**PRICES[0], "models": ["us.*"]}]
    stack = start(weir=settings(client("etl", per_day=2), routes=routes, prices=prices), sim=slow, regions=(EAST,))
    weir = stack.weir
    ask(weir)  # from now on about 20 tokens are expected
    replies = []

    def one():
        replies.append(weir.converse(model=model, max_tokens=4000, headers=by("etl")))

    threads = [threading.Thread(target=one) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    served = [reply for reply in replies if reply.status == 200]
    held = [reply for reply in replies if reply.status == 429]
    assert len(served) + len(held) == 40
    assert 6 <= len(served) <= 11
    assert "may use up its budget" in held[0].json()["message"]
    assert budget(weir)["day"]["spent_usd"] < 2.4


def test_lowered_and_warned_calls_go_on(start):
    weir = start(weir=settings(client("low", per_day=0.1, then="lower"), client("warn", per_day=0.1, then="warn")),
                 sim=SIM, regions=(EAST,)).weir
    for name in ("low", "warn"):
        assert ask(weir, name).status == 200
        reply = ask(weir, name)
        assert (reply.status, reply.headers["x-weir-budget"]) == (200, "spent")
    wait_until(lambda: "its calls go on in the class batch until" in weir.log(), 5, "the log's word")


def test_observed_calls_are_counted_and_not_refused(start):
    weir = start(weir=settings(client("etl", per_day=0.1), mode="observe"), sim=SIM, regions=(EAST,)).weir
    assert [ask(weir).status for _ in range(3)] == [200] * 3
    assert budget(weir)["state"] == "spent"


def test_a_reload_changes_it_at_once(start):
    weir = start(weir=settings(client("etl", per_day=0.1)), sim=SIM, regions=(EAST,)).weir
    spend(weir)
    weir.write(settings(client("etl", per_day=10)))
    weir.signal(signal.SIGHUP)
    wait_until(lambda: budget(weir)["day"]["usd"] == 10, 5, "the reload")
    assert ask(weir).status == 200
    weir.write(settings(client("etl", per_day=0.2)))
    weir.signal(signal.SIGHUP)
    wait_until(lambda: budget(weir)["day"]["usd"] == 0.2, 5, "the reload")
    assert ask(weir).status == 400
    weir.write(settings(client("etl")))
    weir.signal(signal.SIGHUP)
    wait_until(lambda: budget(weir) is None if any(c["name"] == "etl" for c in weir.status()["clients"]) else True, 5, "the reload")
    assert ask(weir).status == 200


def test_a_client_that_hangs_up_pays_all_the_same(start):
    slow = {"models": {"*": {**SIM["models"]["*"], "time_to_first_token": "20s"}}}
    weir = start(weir=settings(client("etl", per_day=0.2)), sim=slow, regions=(EAST,)).weir
    with pytest.raises(OSError):
        weir.converse(max_tokens=30, headers=by("etl"), timeout=1)
    wait_until(lambda: budget(weir)["state"] == "spent", 5, "the bill")


def test_a_deadline_of_the_callers_own_saves_no_money(start):
    slow = {"models": {"*": {**SIM["models"]["*"], "time_to_first_token": "20s"}}}
    stack = start(weir=settings(client("etl", per_day=0.2)), sim=slow, regions=(EAST,))
    weir = stack.weir
    short = {**by("etl"), "x-weir-deadline-ms": "300"}
    assert weir.converse(max_tokens=30, headers=short).status == 504
    wait_until(lambda: budget(weir)["state"] == "spent", 5, "the bill")
    assert weir.converse(max_tokens=30, headers=short).error == "ServiceQuotaExceededException"
    assert stack.sim.truth(EAST, SONNET, "accepted") == 1


def test_no_tier_leads_out_of_it(start):
    weir = start(weir=settings(client("etl", per_day=0.001), prices=None), sim=SIM, regions=(EAST,)).weir
    body = {**say("hi"), "serviceTier": {"type": "flex"}}
    reply = weir.ask("POST", f"/model/{SONNET}/converse", body, by("etl"))
    assert reply.status == 200
    assert spend(weir)[0] < 5
    assert weir.line(max_tokens=100)["cost_usd"] is None, "the price itself is not known"


@pytest.mark.parametrize("how", [TERM, signal.SIGKILL], ids=["stopped", "killed"])
def test_a_restart_keeps_it(start, tmp_path, how):
    more = {"costs": {"file": str(tmp_path / "costs.json")}}
    stack = start(weir=settings(client("etl", per_day=1), **more), sim=SIM, regions=(EAST,))
    weir = stack.weir
    spend(weir)
    spent = budget(weir)["day"]["spent_usd"]
    file = tmp_path / "costs.json"
    if how == signal.SIGKILL:
        wait_until(lambda: file.exists() and "etl" in file.read_text(), 30, "the file")
    weir.signal(how)
    weir.popen.wait(20)
    folder = tmp_path / "again"
    folder.mkdir()
    with Gateway(folder, stack.sim, settings(client("etl", per_day=1), **more)) as again:
        if how == TERM:
            assert budget(again)["day"]["spent_usd"] == pytest.approx(spent)
            assert ask(again).status == 400
        else:
            assert 0 < budget(again)["day"]["spent_usd"] <= spent


needs_redis = pytest.mark.skipif(shutil.which("redis-server") is None, reason="no redis-server here")


@pytest.fixture
def redis():
    with Redis() as server:
        yield server


def agree(weirs):
    amounts = [round(budget(weir)["day"]["spent_usd"], 4) for weir in weirs]
    return len(set(amounts)) == 1 and all(budget(weir)["shared"] for weir in weirs)


def prices(number):
    return {"prices": PRICES}


@needs_redis
def test_two_instances_have_one_budget(start, redis):
    clients = [client("etl", per_day=1), client("other")]
    with Fleet(start, redis, 2, clients, SIM, settings_of=prices) as fleet:
        one, two = fleet.all
        assert [ask(one).status for _ in range(3)] == [200] * 3
        wait_until(lambda: agree(fleet.all), 5, "both to agree")
        assert budget(two)["day"]["spent_usd"] == pytest.approx(0.6, abs=0.05)
        assert [ask(two).status for _ in range(2)] == [200] * 2
        wait_until(lambda: agree(fleet.all), 5, "both to agree")
        assert ask(one).status == ask(two).status == 400
        assert ask(one, "other").status == 200
        assert budget(one)["day"]["spent_usd"] == pytest.approx(1, abs=0.05)


@needs_redis
@pytest.mark.parametrize("how", [TERM, signal.SIGKILL], ids=["stopped", "killed"])
def test_an_instance_that_comes_back_neither_loses_nor_doubles_its_part(start, redis, tmp_path, how):
    def of_each(number):
        return {"prices": PRICES, "costs": {"file": str(tmp_path / f"costs{number}.json")}}

    clients = [client("etl", per_day=10), client("other")]
    with Fleet(start, redis, 2, clients, SIM, settings_of=of_each) as fleet:
        one, two = fleet.all
        for weir in fleet.all * 3:
            assert ask(weir).status == 200
        wait_until(lambda: agree(fleet.all) and budget(one)["day"]["spent_usd"] > 1, 5, "both to agree on the sum")
        spent = budget(one)["day"]["spent_usd"]
        assert spent == pytest.approx(1.2, abs=0.1)
        two.signal(how)
        two.popen.wait(20)
        folder = tmp_path / "again"
        folder.mkdir()
        own = {key: value for key, value in two.config.items() if key not in ("listen", "admin")}
        with Gateway(folder, fleet.sim, own) as again:
            wait_until(lambda: agree([one, again]), 10, "both to agree")
            assert budget(again)["day"]["spent_usd"] == pytest.approx(spent, abs=0.001)
            assert ask(again).status == 200
            wait_until(lambda: agree([one, again]) and budget(one)["day"]["spent_usd"] > spent + 0.1, 10, "one more call")


@needs_redis
def test_without_the_store_each_goes_on_with_what_it_knows(start, redis):
    clients = [client("etl", per_day=2), client("other")]
    with Fleet(start, redis, 2, clients, SIM, settings_of=prices) as fleet:
        one, two = fleet.all
        assert [ask(one).status for _ in range(3)] == [200] * 3
        wait_until(lambda: agree(fleet.all) and budget(two)["day"]["spent_usd"] > 0.5, 5, "both to agree")
        redis.kill()
        assert [ask(two).status for _ in range(3)] == [200] * 3
        wait_until(lambda: budget(two)["day"]["spent_usd"] > 1.1, 5, "its own, and what it had heard")
        assert budget(one)["day"]["spent_usd"] < 0.7
        redis.start()  # with nothing in it
        wait_until(lambda: agree(fleet.all) and budget(one)["day"]["spent_usd"] > 1.1, 15, "both to agree again")


@needs_redis
def test_what_is_strange_in_the_store_is_told_and_left_alone(start, redis):
    clients = [client("etl", per_day=1), client("other")]
    with Fleet(start, redis, 1, clients, SIM, settings_of=prices) as fleet:
        weir = fleet.all[0]
        assert ask(weir).status == 200
        key = wait_until(lambda: redis.run("KEYS", "weir:{spent:etl}:*"), 5, "the report")
        redis.run("HSET", key, "stranger", "all of it")
        wait_until(lambda: "no instance has written" in weir.log(), 5, "the log's word")
        redis.run("SET", key, "x")
        assert ask(weir).status == 200
        assert weir.log().count("shared: weir:{spent") == 1
