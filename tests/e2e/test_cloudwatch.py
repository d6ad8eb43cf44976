"""Weir's own metrics in CloudWatch, and incidents at SNS and a webhook; AWS in any mood delays no request."""

import base64
import datetime
import hashlib
import hmac
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from aws_fake import Fault, Raw
from aws_moto import Moto
from harness import EAST, SONNET, WEST, Gateway, Sim, command, wait_until

HURRY = {"quota_window": "1s"}  # as often as once a second
# The simulator's keys are the stand-in's own.


@pytest.fixture
def aws():
    with Moto() as moto:
        yield moto


def settings(aws, **more):
    return {**HURRY, "aws": {"endpoint": aws.url, **more}}


def data_of(aws):
    return [(d["MetricName"], {x["Name"]: x["Value"] for x in d.get("Dimensions", [])}, d)
            for call in aws.calls("PutMetricData") for d in call.params["MetricData"]]  # fmt: skip


def test_requests_and_the_kinds_of_errors_arrive(tmp_path, aws):
    with Sim(tmp_path) as sim, Gateway(tmp_path, sim, settings(aws, metrics={"to": "cloudwatch"})) as weir:
        wait_until(lambda: data_of(aws), what="the first data")
        sim.fault("unavailable", region=EAST)
        for _ in range(5):
            assert weir.converse("a secret prompt", headers={"x-weir-client": "chat"}).status == 200
        wait_until(lambda: any(n == "Attempts" and x["Result"] == "unavailable" for n, x, _ in data_of(aws)), what="503")
        wait_until(
            lambda: sum(d["Value"] for n, x, d in data_of(aws) if n == "Requests" and x == {"Outcome": "ok"}) == 5, what="five"
        )
        names = {n for n, _, _ in data_of(aws)}
        assert {"Requests", "Attempts", "Tokens", "RequestTime", "PoolUse", "BreakerOpen"} <= names
        assert any(x.get("Client") == "chat" for _, x, _ in data_of(aws))
        for call in aws.calls("PutMetricData"):
            assert call.params["Namespace"] == "Weir" and call.region == EAST
            assert "secret prompt" not in json.dumps(call.params)
        # boto3 finds them where they were sent.
        query = {
            "Id": "m",
            "MetricStat": {
                "Metric": {"Namespace": "Weir", "MetricName": "Requests", "Dimensions": [{"Name": "Outcome", "Value": "ok"}]},
                "Period": 60,
                "Stat": "Sum",
            },
        }

        def found():
            now = datetime.datetime.now(datetime.timezone.utc).replace(second=0, microsecond=0)
            minutes = datetime.timedelta(minutes=5)
            got = aws.boto("cloudwatch").get_metric_data(MetricDataQueries=[query], StartTime=now - minutes, EndTime=now + minutes)
            return sum(got["MetricDataResults"][0]["Values"])

        wait_until(lambda: found() == 5, what="five at boto3")
        assert weir.metrics().sum("weir_cloudwatch_data_total", result="sent") > 0


@pytest.mark.parametrize(
    "mood",
    [
        Fault(400, "Throttling", "Rate exceeded"),
        Fault(403, "AccessDenied", "no"),
        Fault(500, "InternalFailure", "oh"),
        Raw(b"<html>" * 1000, 200),
        Raw(b"{}", 200, delay=5),
    ],
    ids=["throttled", "denied", "broken", "garbage", "slow"],
)
def test_no_mood_of_aws_delays_a_request(tmp_path, aws, mood):
    aws.on("cloudwatch", "PutMetricData", mood)
    with Sim(tmp_path) as sim, Gateway(tmp_path, sim, settings(aws, metrics={"to": "cloudwatch"})) as weir:
        wait_until(lambda: aws.calls("PutMetricData"), what="a call")
        for _ in range(20):
            assert weir.converse().status == 200
        if isinstance(mood, Fault):
            wait_until(lambda: "metrics do not reach CloudWatch" in weir.log(), what="the word in the log")
            seen = len(aws.calls("PutMetricData"))
            time.sleep(2)
            assert len(aws.calls("PutMetricData")) == seen  # it backs off
        begin = time.monotonic()
    assert time.monotonic() - begin < 10  # a call under way holds up no end


def test_lines_in_the_access_log(tmp_path, aws):
    with Sim(tmp_path) as sim, Gateway(tmp_path, sim, settings(aws, metrics={"to": "emf"})) as weir:
        wait_until(lambda: any("_aws" in line for line in weir.lines()), what="a line of metrics")
        assert weir.converse("a secret prompt").status == 200
        found = wait_until(
            lambda: [x for x in weir.lines() if "_aws" in x and x.get("Outcome") == "ok" and "Model" not in x and "Client" not in x],
            what="the request's line",
        )
        assert found[0]["Requests"] == 1
        directive = found[0]["_aws"]["CloudWatchMetrics"][0]
        assert directive["Namespace"] == "Weir" and directive["Dimensions"] == [["Outcome"]]
        assert not aws.calls()
        log = tmp_path / "access.log"
        log.write_text(weir.out.read_text())
    done = command("plan", "--trace", str(log), "--json")  # reads over them
    assert done.returncode == 0, done.stderr


def test_off_costs_no_call(tmp_path, aws):
    with Sim(tmp_path) as sim, Gateway(tmp_path, sim, settings(aws)) as weir:
        assert weir.converse().status == 200
        time.sleep(1.5)
        assert not aws.calls()
        done = command("incidents", "-c", str(weir.file))
        assert done.returncode == 0 and "Nothing is watched" in done.stdout


def test_check_tells_the_price(tmp_path):
    file = tmp_path / "weir.yaml"
    file.write_text(json.dumps({"regions": {EAST: {}}, "default_region": EAST, "aws": {"metrics": {"to": "cloudwatch"}}}))
    done = command("check", str(file))
    assert done.returncode == 0 and "USD a month" in done.stdout


class Agent:
    """A DevOps Agent's webhook."""

    def __init__(self, status=200):
        agent, self.bodies, self.headers, self.status = self, [], [], status

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                agent.bodies.append(body)
                agent.headers.append({k.lower(): v for k, v in self.headers.items()})
                self.send_response(agent.status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/webhook/generic/1"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def test_a_route_without_a_target_is_one_incident(tmp_path, aws):
    topic = aws.boto("sns").create_topic(Name="pager")["TopicArn"]
    with Agent() as agent, Sim(tmp_path) as sim:
        incidents = {"topic": topic, "webhook": agent.url, "secret": "shared"}
        more = settings(aws, incidents=incidents)
        more["breaker"] = {"open_for": "30s", "max_open": "60s", "failures": 2}
        more["queue"] = {"deadline": "2s", "max_wait": "1s"}
        with Gateway(tmp_path, sim, more) as weir:
            for _ in range(3):
                assert weir.converse().status == 200
            sim.fault("unavailable", region=EAST)
            sim.fault("unavailable", region=WEST)
            stop = threading.Event()

            def traffic():
                while not stop.wait(0.3):
                    weir.converse("a secret prompt")

            thread = threading.Thread(target=traffic)
            thread.start()
            try:
                wait_until(lambda: agent.bodies, 60, "the webhook")
            finally:
                stop.set()
                thread.join()
            body = json.loads(agent.bodies[0])
            assert (body["eventType"], body["action"]) == ("incident", "created")
            assert SONNET in body["title"] or "Clients get" in body["title"]
            assert b"secret prompt" not in agent.bodies[0]
            assert body["data"]["last_5_minutes"]["attempts_by_region_and_result"][f"{EAST} unavailable"] > 0
            headers = agent.headers[0]
            text = headers["x-amzn-event-timestamp"].encode() + b":" + agent.bodies[0]
            wanted = base64.b64encode(hmac.new(b"shared", text, hashlib.sha256).digest()).decode()
            assert headers["x-amzn-event-signature"] == wanted
            told = wait_until(lambda: aws.calls("Publish"), what="the topic")[0].params
            assert told["TopicArn"] == topic and told["Subject"].startswith("weir: created")
            done = command("incidents", "-c", str(weir.file), "--json")
            assert done.returncode == 0, done.stderr
            listed = json.loads(done.stdout)["incidents"]
            assert body["incidentId"] in {i["id"] for i in listed}
            assert "open" in command("incidents", "-c", str(weir.file)).stdout
