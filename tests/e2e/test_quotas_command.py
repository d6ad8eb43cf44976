"""`weir quotas`: limits beside true peaks, what to ask for, and asking, against a Service Quotas and a CloudWatch that botocore judges."""

import datetime
import json
import socket
import subprocess
import sys
import time

import boto3
import pytest
from aws_fake import ACCESS_KEY, SECRET_KEY, AwsFake, Fault
from harness import SONNET, command, free_port, wait_until

TOKENS = "Cross-region model inference tokens per minute for Anthropic Claude Sonnet 4.5 V1"
REQUESTS = "Cross-region model inference requests per minute for Anthropic Claude Sonnet 4.5 V1"
DAY = "Model invocation max tokens per day for Anthropic Claude Sonnet 4.5 V1"
WIDE = "Cross-region model inference tokens per minute for Anthropic Claude Sonnet 4.5 V1 1M Context Length"
OLDER = "Cross-region model inference tokens per minute for Anthropic Claude Sonnet 4 V1"
KEYS = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
MINUTE = 60


def quota(name, code, value, adjustable=True):
    return {"QuotaName": name, "QuotaCode": code, "Value": float(value), "Adjustable": adjustable}


class Account:
    """An AWS account with quotas, some use, and requests for more."""

    def __init__(self, aws, applied, standard, use=None):
        self.aws, self.use, self.asked = aws, use or {}, []
        # Service Quotas and CloudWatch page their answers.
        aws.on("service-quotas", "ListServiceQuotas", lambda call: self.page(call, applied))
        aws.on("service-quotas", "ListAWSDefaultServiceQuotas", lambda call: self.page(call, standard))
        aws.on("cloudwatch", "GetMetricData", self.metrics)
        aws.on("cloudwatch", "ListMetrics", self.known)
        aws.on("service-quotas", "RequestServiceQuotaIncrease", self.increase)
        aws.on("service-quotas", "ListRequestedServiceQuotaChangeHistoryByQuota", self.history)

    @staticmethod
    def page(call, quotas):
        at = int(call.params.get("NextToken", 0))
        answer = {"Quotas": quotas[at : at + 2]}
        if at + 2 < len(quotas):
            answer["NextToken"] = str(at + 2)
        return answer

    def known(self, call):
        model = {"Name": "ModelId", "Value": SONNET}
        metric = {"Namespace": "AWS/Bedrock", "MetricName": "Invocations"}
        # ServiceTier is a dimension of further series of the same calls.
        tier = {**metric, "Dimensions": [model, {"Name": "ServiceTier", "Value": "default"}]}
        return {"Metrics": [{**metric, "Dimensions": [model]}, tier]}

    def metrics(self, call):
        results = []
        for query in call.params["MetricDataQueries"]:
            stat = query["MetricStat"]
            assert (stat["Period"], stat["Stat"]) == (60, "Sum")
            assert stat["Metric"]["Dimensions"] == [{"Name": "ModelId", "Value": SONNET}]
            points = sorted(self.use.get(stat["Metric"]["MetricName"], {}).items())
            points = [(at, v) for at, v in points if call.params["StartTime"] <= at < call.params["EndTime"]]
            second = "NextToken" in call.params
            points = points[len(points) // 2 :] if second else points[: len(points) // 2]
            results.append(
                {
                    "Id": query["Id"],
                    "Label": "x",
                    "Timestamps": [datetime.datetime.fromtimestamp(at, datetime.timezone.utc) for at, _ in points],
                    "Values": [float(v) for _, v in points],
                    "StatusCode": "Complete" if second else "PartialData",
                }
            )
        return {"MetricDataResults": results, **({} if second else {"NextToken": "more"})}

    def increase(self, call):
        self.asked.append(call.params)
        self.state = {
            "Id": "req-42",
            "ServiceCode": "bedrock",
            "QuotaCode": call.params["QuotaCode"],
            "DesiredValue": call.params["DesiredValue"],
            "Status": "PENDING",
        }
        return {"RequestedQuota": dict(self.state)}

    def history(self, call):
        if not self.asked:
            return {"RequestedQuotas": []}
        self.state.update(Status="CASE_OPENED", CaseId="1234567890") if self.state["Status"] == "PENDING" else self.state.update(
            Status="APPROVED"
        )
        return {"RequestedQuotas": [dict(self.state)]}


STANDARD = [
    quota(TOKENS, "L-F4DDD3EB", 5e6),
    quota(WIDE, "L-8EA73537", 1e6),
    quota(OLDER, "L-559DCC33", 2e5),
    quota(REQUESTS, "L-4A6BFAB1", 10_000, adjustable=False),
    quota(DAY, "L-DAY", 7.2e9, adjustable=False),
]


@pytest.fixture
def aws():
    with AwsFake() as fake:
        yield fake


@pytest.fixture
def busy(aws):
    now = int(time.time()) // MINUTE * MINUTE
    peak, other = now - 3 * 86400, now - 86400
    use = {
        "Invocations": {peak: 80, other: 120},
        "InvocationThrottles": {peak: 7, other: 1},
        "InputTokenCount": {peak: 900_000, other: 100_000},
        "CacheWriteInputTokens": {peak: 50_000},
        "OutputTokenCount": {peak: 10_000, other: 9_000},
    }
    account = Account(aws, [quota(TOKENS, "L-F4DDD3EB", 2e6), quota(DAY, "L-DAY", 0, adjustable=False)], STANDARD, use)
    account.peak, account.other = peak, other
    return account


@pytest.fixture
def config(tmp_path, aws):
    def write(**more):
        file = tmp_path / "weir.yaml"
        settings = {
            "aws": {"endpoint": aws.url},
            "regions": {"us-east-1": {"control_endpoint": aws.url}},
            "routes": [{"model": SONNET, "targets": [{"region": "us-east-1"}]}],
            **more,
        }
        file.write_text(json.dumps(settings))
        return str(file)

    return write


def weir(*args, code=0, stdin=None):
    done = command(*args, env={**KEYS, "AWS_EC2_METADATA_DISABLED": "true"}, stdin=stdin)
    assert done.returncode == code, (done.stdout, done.stderr)
    return done


def stamp(at):
    return time.strftime("%Y-%m-%d %H:%MZ", time.gmtime(at))


def test_limits_beside_peaks(busy, config):
    (row,) = json.loads(weir("quotas", "--json", "-c", config()).stdout)["quotas"]
    assert (row["region"], row["model"], row["output_burndown"]) == ("us-east-1", SONNET, 5)
    tokens = row["tokens_per_minute"]
    assert (tokens["applied"], tokens["default"], tokens["adjustable"], tokens["code"]) == (2_000_000, 5_000_000, True, "L-F4DDD3EB")
    assert tokens["peak"] == 900_000 + 50_000 + 5 * 10_000 and tokens["peak_at"] == stamp(busy.peak)
    assert tokens["head_room"] == pytest.approx(0.5)
    requests = row["requests_per_minute"]
    assert (requests["applied"], requests["peak"], requests["adjustable"]) == (10_000, 120, False)
    assert row["throttled"] == 8
    assert row["calls_at_once_without_max_tokens"] == 2_000_000 // 64_000

    text = weir("quotas", "-c", config()).stdout
    assert "2,000,000" in text and stamp(busy.peak) in text and "31 calls at once" in text
    assert "0 applied: every call there gets 429" in text


def test_without_a_configuration_cloudwatch_knows_the_models(busy, tmp_path):
    file = tmp_path / "weir.yaml"
    file.write_text(json.dumps({"aws": {"endpoint": busy.aws.url}, "regions": {"us-east-1": {}}}))
    (row,) = json.loads(weir("quotas", "--json", "-c", str(file)).stdout)["quotas"]
    assert row["model"] == SONNET


def test_without_permission_it_says_so(aws, config):
    done = weir("quotas", "-c", config(), code=1)
    assert "AccessDenied" in done.stderr and "weir iam-policy" in done.stderr


def access_log(path, now, clients):
    """Each client makes `n` calls within one minute, the minutes hours apart, and few at other times."""
    lines = []

    def add(client, at, outcome="ok", **more):
        ended = datetime.datetime.fromtimestamp(at, datetime.timezone.utc).isoformat(timespec="milliseconds")
        lines.append(
            {
                "ts": ended.replace("+00:00", "Z"),
                "client": client,
                "model": SONNET,
                "target_region": "us-east-1",
                "target_model": SONNET,
                "total_ms": 200,
                "queued_ms": 0,
                "input": 1000,
                "output": 100,
                "cache_read": 5000,
                "cache_write": 0,
                "outcome": outcome,
                **more,
            }
        )

    for hour, (client, n) in enumerate(clients.items(), 2):
        begin = now - hour * 3600
        for i in range(n):
            add(client, begin + 58 * i / n)
        for i in range(5):
            add(client, begin + 600 + i * 60)
        add(client, begin + 59, "throttled", input=None, output=None)
    lines.append({"ts": "2020-01-01T00:00:00.000Z", "model": SONNET, "client": "old", "total_ms": 1})
    path.write_text("\n".join(json.dumps(line) for line in lines) + "\nnot a line of weir's\n")


def test_the_articles_example_comes_out_at_200(config, tmp_path):
    """Three programs at 50 requests a minute, one going to 75, a quota of 150."""
    log = tmp_path / "access.log"
    access_log(log, int(time.time()), {"a": 49, "b": 49, "c": 49})
    file = config(quotas=[{"model": SONNET, "requests_per_minute": 150}])
    args = ("quotas", "analyze", "--offline", "--log", str(log), "-c", file)
    done = weir(*args, "--grow", "a=1.5")
    assert "75 + 50 + 50 = 175 requests a minute when all peak at once; x 1.14 is 199.5: 200; the quota is 150: ask for 200" in done.stdout
    assert "1 of 55 calls answered with 429" in done.stdout
    assert "not of weir's access log" in done.stderr

    (row,) = json.loads(weir(*args, "--json", "--grow", "a=1.5").stdout)["models"]
    assert row["requests_per_minute"] == {"clients": 175, "account": 0, "margin": 1.14, "recommended": 200, "quota": 150}
    assert row["tokens_per_minute"]["clients"] == pytest.approx((75 / 50 + 2) * 49 * 1500)
    assert {c["client"]: c["requests"] for c in row["clients"]} == {"a": 50, "b": 50, "c": 50}
    # Without growth the sum of peaks is what the quota is, and the margin is missing.
    (row,) = json.loads(weir(*args, "--json").stdout)["models"]
    assert row["requests_per_minute"]["recommended"] == 180


def test_what_other_programs_use_counts(busy, config, tmp_path):
    log = tmp_path / "access.log"
    access_log(log, int(time.time()), {"a": 49})
    (row,) = json.loads(weir("quotas", "analyze", "--json", "--log", str(log), "-c", config()).stdout)["models"]
    assert row["requests_per_minute"]["account"] == 120 and row["requests_per_minute"]["recommended"] == 140
    assert row["throttled"] == 8


def test_analyze_needs_good_words(config):
    assert "CLIENT=FACTOR" in weir("quotas", "analyze", "--offline", "--grow", "a", "-c", config(), code=2).stderr
    assert "cannot be read" in weir("quotas", "analyze", "--offline", "--log", "/nowhere", "-c", config(), code=2).stderr


def request(config, tokens, *more, code=0, stdin=None):
    return weir("quotas", "request", SONNET, "--tokens-per-minute", str(tokens), *more, "-c", config, code=code, stdin=stdin)


def test_an_increase_is_shown_asked_and_followed(busy, config):
    done = request(config(), 8_000_000, "--dry-run")
    assert "L-F4DDD3EB" in done.stdout and "8,000,000" in done.stdout and "1,000,000" in done.stdout
    assert "Dry run" in done.stdout and not busy.asked
    for answer in ("n\n", "", "\n", "maybe\n"):
        assert "Nothing was asked for" in request(config(), 8_000_000, code=1, stdin=answer).stdout
    assert not busy.asked
    done = request(config(), 8_000_000, stdin="y\n", code=0)
    assert busy.asked == [{"ServiceCode": "bedrock", "QuotaCode": "L-F4DDD3EB", "DesiredValue": 8_000_000.0}]
    assert "Request req-42: PENDING" in done.stdout
    assert "CASE_OPENED, support case 1234567890" in done.stdout and "APPROVED" in done.stdout


def test_yes_does_not_ask(busy, config):
    request(config(), 8_000_000, "--yes", "--wait", "0s")
    assert len(busy.asked) == 1


@pytest.mark.parametrize("tokens", [1_999_999, 2_000_000, 3_000_000, 5_000_000])
def test_what_the_service_would_refuse_is_not_asked(busy, config, tokens):
    done = request(config(), tokens, "--yes", code=1)
    assert "only values above AWS's default of 5,000,000" in done.stderr and "support case" in done.stderr
    assert not busy.asked


def test_a_quota_that_is_not_adjustable(busy, config):
    done = weir("quotas", "request", SONNET, "--requests-per-minute", "20000", "--yes", "-c", config(), code=1)
    assert "not adjustable" in done.stderr and not busy.asked


def test_a_legacy_model(busy, config):
    def model(call):
        assert call.params["modelIdentifier"] == SONNET[3:]
        lifecycle = {"status": "LEGACY"}
        arn = f"arn:aws:bedrock:us-east-1::foundation-model/{SONNET[3:]}"
        return {"modelDetails": {"modelArn": arn, "modelId": SONNET[3:], "modelLifecycle": lifecycle}}

    busy.aws.on("bedrock", "GetFoundationModel", model)
    assert "legacy" in request(config(), 8_000_000, "--yes", code=1).stderr
    assert not busy.asked


def test_an_open_request_is_not_repeated(busy, config):
    busy.asked.append({})
    busy.state = {"Id": "req-1", "Status": "PENDING", "DesiredValue": 9e6, "QuotaCode": "L-F4DDD3EB"}
    done = request(config(), 8_000_000, "--yes", code=1)
    assert "req-1" in done.stderr and "CASE_OPENED already" in done.stderr
    assert len(busy.asked) == 1


def test_a_refusal_of_the_service_is_told(busy, config):
    refused = Fault(400, "IllegalArgumentException", "You must provide a quota value greater than the default quota value")
    busy.aws.on("service-quotas", "RequestServiceQuotaIncrease", refused)
    assert "You must provide a quota value" in request(config(), 8_000_000, "--yes", code=1).stderr


def test_a_support_case(busy, config):
    text = weir("quotas", "case", SONNET, "-c", config()).stdout
    assert text.startswith(f"# Amazon Bedrock: quota of {SONNET} in us-east-1")
    assert "| L-F4DDD3EB | 2,000,000 | 5,000,000 | 1,000,000 at " in text
    assert "| L-DAY | 0 | 7,200,000,000 |" in text
    assert "8 of 208 calls were throttled" in text
    assert f"| {stamp(busy.peak // 3600 * 3600)} | 1,000,000 | 80 | 7 |" in text
    for line in text.splitlines():
        if line.startswith("|"):
            assert line.endswith("|")


def test_peaks_of_a_cloudwatch_that_is_not_ours(tmp_path):
    """moto keeps the metrics that boto3 put there; it has no Service Quotas for Bedrock."""
    pytest.importorskip("moto.server")
    port = free_port()
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_until(lambda: listens(port), 60, "moto's start")
        url = f"http://127.0.0.1:{port}"
        cloudwatch = boto3.client(
            "cloudwatch", region_name="us-east-1", endpoint_url=url, aws_access_key_id=ACCESS_KEY, aws_secret_access_key=SECRET_KEY
        )
        now = datetime.datetime.now(datetime.timezone.utc).replace(second=0, microsecond=0)
        for minutes, requests, tokens in ((10, 3, 1000), (9, 7, 4000), (8, 2, 500)):
            at = now - datetime.timedelta(minutes=minutes)
            common = {"Dimensions": [{"Name": "ModelId", "Value": SONNET}], "Timestamp": at}
            data = [{**common, "MetricName": "Invocations", "Value": requests}, {**common, "MetricName": "InputTokenCount", "Value": tokens}]
            cloudwatch.put_metric_data(Namespace="AWS/Bedrock", MetricData=data)
        file = tmp_path / "weir.yaml"
        file.write_text(json.dumps({"aws": {"cloudwatch": url, "service_quotas": "http://127.0.0.1:1"}, "regions": {"us-east-1": {}}}))
        (row,) = json.loads(weir("quotas", "--json", "-c", str(file)).stdout)["quotas"]
        assert row["model"] == SONNET
        assert (row["requests_per_minute"]["peak"], row["tokens_per_minute"]["peak"]) == (7, 4000)
        assert row["requests_per_minute"]["peak_at"] == (now - datetime.timedelta(minutes=9)).strftime("%Y-%m-%d %H:%MZ")
        assert row["quotas_error"] and row["tokens_per_minute"]["applied"] is None
    finally:
        server.kill()
        server.wait(10)


def listens(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0
