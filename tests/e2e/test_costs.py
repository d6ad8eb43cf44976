"""Tokens and money: in `weir costs`, GET /costs, the metrics and the access log, over every API and over a restart."""

import csv
import io
import json
import os
import re
import signal
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from urllib.parse import unquote

import anthropic
import openai
import pytest
from harness import EAST, LLAMA, ROOMY, SONNET, WEST, Gateway, ask, command, converse, say, stream, wait_until
from scripted import Endpoints, Scripted, answer

# Dollars for a million tokens of SONNET, a profile of the United States.
RATES = {"input": Decimal("3.3"), "output": Decimal("16.5"), "cache_read": Decimal("0.33"), "cache_write": Decimal("4.125")}
STRANGE = "acme.reasoner-v9:0"
NANO = Decimal(10) ** 9


def cost_of(line, rates=RATES):
    return sum(Decimal(line[kind]) * rate for kind, rate in rates.items()) / 1_000_000


def test_what_the_cache_keeps_for_an_hour_costs_more(start):
    s = start()
    prompt = "[[cache_write=60]] [[cache_write_1h=25]] " + "word " * 100
    messages = [{"role": "user", "content": prompt}]
    client = s.weir.boto()
    assert s.weir.converse(prompt).status == 200
    stream(client, prompt)
    body = json.dumps({"anthropic_version": "bedrock-2023-05-31", "max_tokens": 50, "messages": messages})
    client.invoke_model(modelId=SONNET, body=body)
    list(client.invoke_model_with_response_stream(modelId=SONNET, body=body)["body"])
    theirs = anthropic.Anthropic(base_url=s.weir.url + "/anthropic", api_key="dummy").messages
    theirs.create(model=SONNET, max_tokens=30, messages=messages)
    list(theirs.create(model=SONNET, max_tokens=30, messages=messages, stream=True))
    for line in finished(s.weir, 6):
        dearer = 25 * (Decimal("6.6") - RATES["cache_write"]) / 1_000_000
        assert line["cache_write"] == 60 and Decimal(str(line["cost_usd"])) == cost_of(line) + dearer, line
    told = ask(s.weir.admin, "GET", "/explain/" + line["id"]).json()
    assert told["settlement"]["cache_write_1h"] == 25


def costs(weir, query="", headers=None):
    answer = ask(weir.admin, "GET", "/costs" + query, headers=headers)
    assert answer.status == 200, answer.body
    return answer.json()


def cli(weir, *args, env=None):
    return command("costs", "--url", f"http://127.0.0.1:{weir.admin}", *args, env=env)


def finished(weir, number):
    """The access log, once it has so many lines."""
    wait_until(lambda: len(weir.lines()) >= number, 5, f"{number} lines")
    return weir.lines()


def test_every_api_is_counted_with_its_money_and_tag(start):
    s = start()
    named = {"x-weir-client": "chat", "x-weir-tag": "eval/7"}
    assert s.weir.converse("[[cache_read=40]] [[cache_write=20]] " + "word " * 100, headers=named).status == 200
    stream(s.weir.boto())
    body = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 50, "messages": [{"role": "user", "content": "hi"}]}
    client = s.weir.boto()
    client.invoke_model(modelId=SONNET, body=json.dumps(body))
    list(client.invoke_model_with_response_stream(modelId=SONNET, body=json.dumps(body))["body"])
    theirs = openai.OpenAI(base_url=s.weir.url + "/openai/v1", api_key="dummy", max_retries=0, default_headers=named)
    messages = [{"role": "user", "content": "hi"}]
    theirs.chat.completions.create(model=SONNET, messages=messages, max_tokens=30)
    list(theirs.chat.completions.create(model=SONNET, messages=messages, max_tokens=30, stream=True))
    anthropic.Anthropic(base_url=s.weir.url + "/anthropic", api_key="dummy", default_headers=named).messages.create(
        model=SONNET, max_tokens=30, messages=messages
    )
    lines = finished(s.weir, 7)
    assert len({line["operation"] for line in lines}) == 6
    for line in lines:
        assert line["output"] and Decimal(str(line["cost_usd"])) == cost_of(line), line
    assert any(line["cache_read"] == 40 and line["cache_write"] == 20 for line in lines)
    assert sum(line["tag"] == "eval/7" for line in lines) == 4
    total = sum(cost_of(line) for line in lines)

    told = costs(s.weir, "?by=client,tag")
    assert told["total"]["requests"] == 7 and told["total"]["cost_nanodollars"] == total * NANO
    assert told["total"]["output"] == sum(line["output"] for line in lines) and told["unpriced"] == []
    row = next(row for row in told["rows"] if row["tag"] == "eval/7")
    assert row["client"] == "chat" and row["requests"] == 4
    assert row["cost_nanodollars"] == sum(cost_of(line) for line in lines if line["tag"]) * NANO

    metrics = s.weir.metrics()
    assert abs(metrics.sum("weir_cost_usd_total", model=SONNET) - float(total)) < 1e-9
    assert metrics.sum("weir_unpriced_tokens_total") == 0 and metrics.sum("weir_unknown_headers_total") == 0

    text = cli(s.weir, "--by", "client")
    assert text.returncode == 0 and not text.stderr
    assert re.search(r"^chat +4 ", text.stdout, re.M) and re.search(r"^total +7 ", text.stdout, re.M)
    rows = list(csv.DictReader(io.StringIO(cli(s.weir, "--by", "client,tag", "--csv").stdout)))
    assert sum(Decimal(row["cost_usd"]) for row in rows) == total
    assert json.loads(cli(s.weir, "--json").stdout)["total"]["requests"] == 7


def test_a_price_that_nobody_knows_is_unknown_and_not_nothing(start):
    s = start(weir={"routes": [{"model": m, "targets": [{"region": EAST}]} for m in (SONNET, STRANGE)]})
    assert s.weir.converse(model=STRANGE).status == 200
    line = finished(s.weir, 1)[0]
    assert line["output"] > 0 and line["cost_usd"] is None
    tokens = line["input"] + line["output"]
    told = costs(s.weir)
    assert told["unpriced"] == [{"model": STRANGE, "region": EAST, "account": "default", "requests": 1, "tokens": tokens}]
    assert told["total"]["unpriced_tokens"] == tokens and told["total"]["cost_usd"] is None
    text = cli(s.weir).stdout
    assert "unknown" in text and f"1 call of {STRANGE} in {EAST} (account default) have no price" in text
    (row,) = csv.DictReader(io.StringIO(cli(s.weir, "--by", "model", "--csv").stdout))
    assert row["cost_usd"] == "" and row["unpriced_tokens"] == str(tokens)
    metrics = s.weir.metrics()
    assert metrics.sum("weir_unpriced_tokens_total", model=STRANGE) == tokens
    assert metrics.labels("weir_cost_usd_total") == []

    s.weir.write({"prices": [{"models": ["acme.*"], "input": 2, "output": 8}]})
    assert ask(s.weir.admin, "POST", "/reload").status == 200
    wait_until(lambda: s.weir.converse(model=STRANGE).status == 200 and s.weir.lines()[-1]["cost_usd"], 5, "the price")
    line = s.weir.lines()[-1]
    assert Decimal(str(line["cost_usd"])) == cost_of(line, {"input": 2, "output": 8})


def test_a_priority_call_has_its_tiers_price_or_none(start):
    s = start(weir={"prices": [{"models": [SONNET], "tier": "priority", "input": 10, "output": 20}]})
    for tier, known in (("priority", True), ("flex", False), ("default", True)):
        answer = s.weir.ask("POST", f"/model/{SONNET}/converse", {**say("hi"), "serviceTier": {"type": tier}})
        assert answer.status == 200, answer.body
        line = s.weir.line(id=answer.headers["x-weir-request-id"])
        assert (line["cost_usd"] is not None) == known, tier
        if tier == "priority":
            assert Decimal(str(line["cost_usd"])) == cost_of(line, {"input": 10, "output": 20})


def test_what_is_beyond_a_reservation_is_billed_as_the_tier_that_served_it(start):
    s = start(weir={"prices": [{"models": [SONNET], "tier": "default", "input": 1, "output": 2}]})
    by_body = {**say("hi"), "serviceTier": {"type": "reserved"}}
    by_head = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 100, "messages": [{"role": "user", "content": "hi"}]}
    for path in ("converse", "converse-stream", "invoke", "invoke-with-response-stream"):
        body, headers = (by_body, {}) if "converse" in path else (by_head, {"X-Amzn-Bedrock-Service-Tier": "reserved"})
        answer = s.weir.ask("POST", f"/model/{SONNET}/{path}", body, headers)  # the simulator has nothing reserved
        assert answer.status == 200, answer.body
        line = s.weir.line(id=answer.headers["x-weir-request-id"])
        assert line["tier"] == "default", path
        assert Decimal(str(line["cost_usd"])) == cost_of(line, {"input": 1, "output": 2}), path


@pytest.mark.parametrize("tag", ["", "a b", "ä", "x" * 65, "a,b", "=1+1", "a\"b"])
def test_a_tag_of_other_characters_is_refused(plain, tag):
    answer = plain.weir.ask("POST", f"/model/{SONNET}/converse", say("hi"), {"x-weir-tag": tag.encode()})
    assert answer.status == 400 and b"x-weir-tag is 1 to 64" in answer.body


def test_the_tag_is_not_sent_on(tmp_path):
    upstream = Scripted()
    with closing(upstream), Gateway(tmp_path, Endpoints(us_east_1=upstream.port)) as weir:
        assert weir.converse(headers={"x-weir-tag": "Nightly_1.0:/a-b"}).status == 200
        assert b"x-weir" not in upstream.requests[0].lower()
        assert weir.line(status=200)["tag"] == "Nightly_1.0:/a-b"
        assert weir.metrics().sum("weir_unknown_headers_total") == 0


def test_one_client_cannot_use_up_the_tags_or_names(start):
    s = start(weir={"costs": {"tags": 8}})
    for i in range(30):
        assert s.weir.converse(headers={"x-weir-client": "greedy", "x-weir-tag": f"t{i}"}).status == 200
    assert s.weir.converse(headers={"x-weir-client": "modest", "x-weir-tag": "mine"}).status == 200
    wait_until(lambda: costs(s.weir)["total"]["requests"] == 31, 5, "all of them")
    rows = costs(s.weir, "?by=client,tag")["rows"]
    assert {r["tag"] for r in rows if r["client"] == "modest"} == {"mine"}
    greedy = {r["tag"]: r["requests"] for r in rows if r["client"] == "greedy"}
    assert len(greedy) <= 8 and greedy["other"] >= 22
    for i in range(5):
        assert s.weir.converse(model=f"no.such-model{i}", headers={"x-weir-client": f"c{i}"}).status


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_restart_forgets_nothing(start, how):
    s = start()
    folder = Path(s.folder) / "state"
    folder.mkdir()
    env = {**os.environ, "STATE_DIRECTORY": str(folder)}
    file = folder / "costs.json"
    one, two = Path(s.folder) / "one", Path(s.folder) / "two"
    one.mkdir(), two.mkdir()
    with Gateway(one, s.sim, env=env) as weir:
        for _ in range(3):
            assert weir.converse(headers={"x-weir-tag": "before"}).status == 200
        before = wait_until(lambda: (c := costs(weir))["total"]["requests"] == 3 and c, 5, "the calls")
        if how == signal.SIGKILL:
            wait_until(lambda: file.exists() and "before" in file.read_text(), 10, "the file")
        weir.signal(how)
        weir.popen.wait(20)
    assert file.stat().st_mode & 0o777 == 0o600
    offline = command("costs", "--file", str(file), "--json")
    assert json.loads(offline.stdout)["total"] == before["total"]
    with Gateway(two, s.sim, env=env) as weir:
        assert costs(weir)["total"] == before["total"]
        assert weir.converse(headers={"x-weir-tag": "after"}).status == 200
        wait_until(lambda: costs(weir)["total"]["requests"] == 4, 5, "the next call")
        assert {row["tag"] for row in costs(weir, "?by=tag")["rows"]} == {"before", "after"}


def test_a_broken_file_is_set_aside_and_weir_starts(start):
    s = start()
    file = Path(s.folder) / "costs.json"
    file.write_text('{"version": 1, "days": ')
    again = Path(s.folder) / "again"
    again.mkdir()
    with Gateway(again, s.sim, {"costs": {"file": str(file)}}) as weir:
        assert weir.converse().status == 200
        wait_until(lambda: weir.log().count("is not used, because it is no JSON object") == 1, 5, "the line in the log")
        assert (Path(s.folder) / "costs.json.broken").read_text() == '{"version": 1, "days": '
        weir.signal(signal.SIGTERM)
        weir.popen.wait(20)
    assert json.loads(file.read_text())["version"] == 1


def test_what_weir_saved(start):
    s = start(weir={"routes": [{"model": SONNET, "targets": [{"region": EAST}, {"region": WEST}]}]})
    s.sim.fault("unavailable", EAST)
    for _ in range(4):
        assert s.weir.converse().status == 200
    wait_until(lambda: costs(s.weir)["total"]["requests"] == 4, 5, "the calls")
    told = costs(s.weir)
    metrics = s.weir.metrics()
    assert told["saved"]["refusals_avoided"]["requests"] == metrics.sum("weir_rescued_total") >= 1
    assert told["saved"]["calls_saved_by_failover"]["requests"] == metrics.sum("weir_fallbacks_total") == 4
    assert "answered by a later target of the route" in cli(s.weir).stdout
    assert told["rows"][0]["failed_over"] == 4
    assert {row["region"] for row in costs(s.weir, "?by=region")["rows"]} == {WEST}


HAIKU = "us.anthropic.claude-haiku-4-5-20251001-v1:0"


@pytest.fixture
def cut_short(tmp_path):
    """A gateway that has learned that 50 tokens are enough, before an upstream whose answers then are as long as they may be."""
    down, size = [], [10_000]

    def behave(_, request):
        path = unquote(request.split(b" ")[1].decode())
        most = json.loads(request.split(b"\r\n\r\n", 1)[1])["inferenceConfig"]["maxTokens"]
        if most == 8000 and any(model in path for model in down):
            return answer(b'{"message": "down"}', "503 Service Unavailable", ["x-amzn-ErrorType: ServiceUnavailableException"])
        told = {"output": {"message": {"role": "assistant", "content": [{"text": "x"}]}}, "stopReason": "end_turn",
                "usage": {"inputTokens": size[0], "outputTokens": 50 if most == 50 else min(most, 300), "totalTokens": 9}}
        return answer(json.dumps(told).encode())

    upstream = Scripted(behave)
    targets = [{"region": EAST}, {"region": EAST, "model": HAIKU}]
    routes = [{"model": SONNET, "targets": targets, "right_size": True}]
    with Gateway(tmp_path, Endpoints(us_east_1=upstream.port), {"routes": routes}) as weir:
        for _ in range(210):
            assert weir.converse(max_tokens=50).status == 200
        before = {row["model"]: row for row in costs(weir)["rows"]}

        def ask(input_tokens, *models):
            down[:], size[0] = models, input_tokens
            quota = weir.metrics().sum("weir_tokens_total", kind="quota")
            reply = weir.converse("hello", max_tokens=8000)
            assert reply.status == 200
            line = weir.line(id=reply.headers["x-weir-request-id"])
            rows = {row["model"]: row["cost_usd"] - before.get(row["model"], {"cost_usd": 0})["cost_usd"]
                    for row in costs(weir)["rows"]}
            assert line["cost_usd"] == pytest.approx(sum(rows.values()))
            assert weir.metrics().sum("weir_tokens_total", kind="quota") - quota == line["input"] + 5 * line["output"]
            return reply, line, rows

        yield ask
    upstream.close()


def test_an_answer_cut_short_and_the_one_after_it_are_two_bills(cut_short):
    _, line, rows = cut_short(150_000)  # each of them below the size from which Sonnet costs more
    assert line["input"] == 300_000
    assert rows[SONNET] == pytest.approx((300_000 * 3.3 + line["output"] * 16.5) / 1e6)


def test_each_answer_of_a_call_is_billed_where_it_came_from(cut_short):
    reply, line, rows = cut_short(10_000, SONNET)
    assert HAIKU in reply.headers["x-weir-target"]
    assert rows[SONNET] == pytest.approx((10_000 * 3.3 + (line["output"] - 300) * 16.5) / 1e6)
    assert rows[HAIKU] == pytest.approx((10_000 * 1.1 + 300 * 5.5) / 1e6)


def test_an_answer_that_was_cut_short_and_is_given_after_all_says_where_it_is_from(cut_short):
    reply, line, rows = cut_short(10_000, SONNET, HAIKU)
    assert SONNET in reply.headers["x-weir-target"] and "x-weir-degraded" not in reply.headers
    assert line["target_model"] == SONNET
    assert rows[SONNET] == pytest.approx((10_000 * 3.3 + line["output"] * 16.5) / 1e6)
    assert rows.get(HAIKU, 0) == 0


def test_only_what_could_have_been_held_is_called_saved(start):
    s = start(weir={"routes": [{"model": SONNET, "targets": [{"region": EAST}], "right_size": True, "max_output": 1000}]},
              sim={"models": {"*": {**ROOMY, "output_tokens": {"mean": 20, "spread": 0}}}})
    for _ in range(210):
        assert s.weir.converse(max_tokens=500).status == 200
    before = costs(s.weir)["total"]["tokens_not_held"]
    assert s.weir.converse(max_tokens=1_000_000_000).status == 200
    assert 0 < costs(s.weir)["total"]["tokens_not_held"] - before < 1000


def test_observed_calls_are_counted_and_refused_ones_are_not(start):
    s = start(weir={"mode": "observe"})
    converse(s.weir.boto())
    assert s.weir.converse(headers={"x-weir-priority": "never"}).status == 400
    wait_until(lambda: len(s.weir.lines()) == 2, 5, "two lines")
    told = costs(s.weir)
    assert told["total"]["requests"] == 1 and told["total"]["cost_usd"] > 0
    assert told["saved"]["refusals_avoided"]["requests"] == 0


def test_costs_are_for_those_who_have_the_key(start):
    from hashlib import sha256

    s = start(weir={"admin_key_sha256": sha256(b"open").hexdigest()})
    assert ask(s.weir.admin, "GET", "/costs").status == 401
    assert costs(s.weir, headers={"Authorization": "Bearer open"})["rows"] == []
    assert ask(s.weir.admin, "POST", "/costs", headers={"Authorization": "Bearer open"}).status == 405
    assert ask(s.weir.admin, "GET", "/costs?by=colour", headers={"Authorization": "Bearer open"}).status == 400
    assert cli(s.weir).returncode == 1
    told = cli(s.weir, env={"WEIR_ADMIN_KEY": "open"})
    assert told.returncode == 0 and told.stdout.startswith("No calls since ")
    assert cli(s.weir, "--since", "soon").returncode == 2


def test_the_prices_are_shown_with_source_and_date(tmp_path):
    file = tmp_path / "weir.yaml"
    file.write_text(json.dumps({"prices": [{"models": [LLAMA], "input": 0.5, "account": "default"}]}))
    done = command("costs", "--prices", "--json", "-c", str(file))
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)["prices"]
    assert rows[0]["model"] == LLAMA and rows[0]["source"] == "prices[0]" and rows[0]["output"] is None
    assert all(row["source"] and row["date"] for row in rows[1:])
    sonnet = next(row for row in rows if row["model"] == SONNET and not row["above"])
    assert [sonnet[kind] for kind in (*RATES, "cache_write_1h")] == [3.3, 16.5, 0.33, 4.125, 6.6]
    assert f"\n{SONNET} " in command("costs", "--prices", "-c", str(file)).stdout
    wrong = [
        ({"models": [], "input": 1}, "a price needs `models`"),
        ({"models": ["*"]}, "sets nothing"),
        ({"models": ["*"], "input": 1, "account": "nobody"}, "is not among `accounts`"),
        ({"models": ["*"], "input": 1, "region": "useast1"}, "is no Region"),
        ({"models": ["*"], "input": -1}, "between 0"),
    ]
    for price, message in wrong:
        file.write_text(json.dumps({"prices": [price]}))
        done = command("check", str(file))
        assert done.returncode != 0 and message in done.stdout + done.stderr, (price, done.stdout, done.stderr)
