"""`weir serve` reads limits and profiles from AWS, and traffic does not notice what AWS answers."""

import time

import pytest
from aws_fake import ACCESS_KEY, AwsFake, Fault, Raw
from harness import EAST, HUP, SECRET, SONNET, TERM, WEST, Load, say, wait_until

TOKENS = "Cross-region model inference tokens per minute for Anthropic Claude Sonnet 4.5 V1"
REQUESTS = "Cross-region model inference requests per minute for Anthropic Claude Sonnet 4.5 V1"
DAY = "Model invocation max tokens per day for Anthropic Claude Sonnet 4.5 V1"
OTHER = "Cross-region model inference tokens per minute for Anthropic Claude Sonnet 4 V1"
ARN = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abcdefghij12"


def quota(name, code, value, adjustable=True):
    return {"ServiceCode": "bedrock", "QuotaName": name, "QuotaCode": code, "Value": value, "Adjustable": adjustable}


def profiles(call):
    models = [
        {"modelArn": f"arn:aws:bedrock:{region}::foundation-model/{SONNET[3:]}"} for region in ("us-east-1", "us-east-2", "us-west-2")
    ]
    common = {"models": models, "status": "ACTIVE"}
    if call.params["typeEquals"] == "APPLICATION":
        ours = {"inferenceProfileName": "app", "inferenceProfileArn": ARN, "inferenceProfileId": "abcdefghij12", "type": "APPLICATION"}
        return {"inferenceProfileSummaries": [{**common, **ours}]}
    theirs = {
        "inferenceProfileName": "US Sonnet",
        "inferenceProfileArn": f"arn:aws:bedrock:{call.region}:123456789012:inference-profile/{SONNET}",
        "inferenceProfileId": SONNET,
        "type": "SYSTEM_DEFINED",
    }
    return {"inferenceProfileSummaries": [{**common, **theirs}]}


@pytest.fixture
def aws():
    with AwsFake({ACCESS_KEY: SECRET}) as fake:
        yield fake


def weir_that_reads(start, aws, **more):
    settings = {"aws": {"endpoint": aws.url, "read_quotas": True, "quotas_every": "1s"}, **more}
    return start(weir=settings).weir


def limits(weir, region=EAST):
    for target in weir.status()["targets"]:
        if (target["region"], target["model"]) == (region, SONNET):
            return {limit["kind"]: limit["limit"] for limit in target["limits"] if not limit["learned"]}
    return {}


def test_limits_are_taken_and_changes_too(start, aws):
    tokens = {EAST: 5e6, WEST: 6e6}
    aws.on(
        "service-quotas",
        "ListServiceQuotas",
        lambda call: {"Quotas": [quota(TOKENS, "L-F4DDD3EB", tokens[call.region]), quota(OTHER, "L-2", 777_777.0)]},
    )
    aws.on(
        "service-quotas",
        "ListAWSDefaultServiceQuotas",
        {"Quotas": [quota(TOKENS, "L-F4DDD3EB", 5e6), quota(REQUESTS, "L-4A6BFAB1", 10_000.0)]},
    )
    aws.on("bedrock", "ListInferenceProfiles", profiles)
    weir = weir_that_reads(start, aws)
    assert weir.converse().status == 200
    wait_until(lambda: limits(weir) == {"tokens": 5_000_000, "requests": 10_000}, what="limits of us-east-1")
    used = [t for t in weir.status()["targets"] if t["region"] == EAST][0]
    before = weir.status()["configuration"]["hash"]
    tokens[EAST] = 8e6
    wait_until(lambda: limits(weir)["tokens"] == 8_000_000, what="the raised limit")
    after = [t for t in weir.status()["targets"] if t["region"] == EAST][0]
    used, after = ({x["kind"]: x["used"] for x in t["limits"]} for t in (used, after))
    assert after["tokens"] == used["tokens"] > 0, "levels are kept"
    wait_until(lambda: "has changed: 8,000,000 tokens per minute" in weir.log(), what="the line of the change")
    log = weir.log()
    assert "5,000,000 tokens per minute (Service Quotas, L-F4DDD3EB" in log
    assert weir.status()["configuration"]["hash"] == before, "the file is the same"
    assert log.count("has changed") == 1

    # The application profile counts as what it stands for.
    assert weir.ask("POST", f"/model/{ARN.replace(':', '%3A').replace('/', '%2F')}/converse", say("hi")).status == 200
    assert weir.line(operation="Converse", model=SONNET)

    # A reload keeps what AWS said, and the file's own figure wins.
    weir.write({"quotas": [{"model": SONNET, "region": EAST, "requests_per_minute": 123}]})
    weir.signal(HUP)
    wait_until(lambda: limits(weir) == {"tokens": 8_000_000, "requests": 123}, what="the file's figure")


def test_a_quota_of_zero_is_explained_once(start, aws):
    aws.on("service-quotas", "ListServiceQuotas", {"Quotas": [quota(TOKENS, "L-1", 5e6), quota(DAY, "L-2", 0.0, False)]})
    aws.on("service-quotas", "ListAWSDefaultServiceQuotas", {"Quotas": [quota(DAY, "L-2", 7.2e9, False)]})
    aws.on("bedrock", "ListInferenceProfiles", profiles)
    weir = weir_that_reads(start, aws)
    wait_until(lambda: len(aws.calls("ListServiceQuotas", EAST)) >= 3, what="three readings")
    assert weir.converse().status == 200
    log = weir.log()
    assert log.count(f"quota of {SONNET} in {EAST}: 0 tokens per day") == 1
    assert "weir quotas case" in log
    assert limits(weir)["tokens"] == 5_000_000 and "daily_tokens" not in limits(weir)


def test_without_permission_one_line(start, aws):
    weir = weir_that_reads(start, aws)
    wait_until(lambda: len(aws.calls("ListServiceQuotas", WEST)) >= 3, what="three readings")
    assert weir.converse().status == 200
    log = weir.log()
    assert log.count("Service Quotas cannot be read in us-east-1, us-west-2: 403 AccessDenied") == 1
    assert "are learned from 429s" in log
    assert weir.popen.poll() is None


BAD = {
    "garbage": Raw(b"\x00\xff{]"),
    "wrong shape": Raw(b'{"Quotas": {"a": [1]}, "inferenceProfileSummaries": 7}'),
    "huge": Raw(b'{"Quotas": [' + b'{"QuotaName": "x"},' * 600_000 + b"{}]}"),
    "deep": Raw(b"[" * 3_000_000),
    "endless": Raw(b'{"Quotas": [], "NextToken": "again", "inferenceProfileSummaries": [], "nextToken": "again"}'),
    "one token": Raw(b'{"Quotas": [{"QuotaCode": "L-1", "QuotaName": "' + TOKENS.encode() + b'", "Value": 1}]}'),
    "redirect": Raw(b"", 302, {"location": "http://127.0.0.1:1/"}),
    "slow": Raw(b'{"Quotas": []}', delay=30),
    "refused": Fault(403, "AccessDeniedException", "no\r\nInjected: yes"),
    "throttled": Fault(400, "TooManyRequestsException", "slow down"),
    "broken": Fault(500, "InternalFailure", "x" * 100_000),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_answers_do_not_touch_traffic(start, aws, kind):
    bad = BAD[kind]
    for service, operation in (
        ("service-quotas", "ListServiceQuotas"),
        ("service-quotas", "ListAWSDefaultServiceQuotas"),
        ("bedrock", "ListInferenceProfiles"),
    ):
        aws.on(service, operation, bad)
    weir = weir_that_reads(start, aws)


    def call():
        assert weir.converse().status == 200

    with Load(call, threads=2) as load:
        wait_until(lambda: len(aws.calls("ListServiceQuotas")) >= 1, what="a reading under way")
        time.sleep(2.5)
    assert load.done and not load.failures
    weir.check_alive()
    assert "Injected: yes" not in [line.strip() for line in weir.log().splitlines()]
    weir.signal(TERM)
    assert weir.popen.wait(15) == 0


def test_off_for_other_endpoints(start, aws):
    weir = start(weir={"aws": {"endpoint": aws.url}}).weir
    assert weir.converse().status == 200
    time.sleep(0.5)
    assert aws.calls() == []
