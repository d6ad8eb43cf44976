"""Several AWS accounts behind one gateway: roles from STS, a quota for each, and who is who."""

import datetime
import json

import pytest
from aws_fake import ACCESS_KEY, SECRET_KEY, AwsFake, Fault, Raw
from harness import EAST, ROOMY, SECRET, SONNET, WEST, ask, command, wait_until

PROD, PROD_SECRET = "ASIAPRODPRODPROD", "prod-secret"
ROLE = "arn:aws:iam::222222222222:role/weir"


def assumed(call):
    assert call.params["ExternalId"] == "from-weir"
    return {
        "Credentials": {
            "AccessKeyId": PROD,
            "SecretAccessKey": PROD_SECRET,
            "SessionToken": "a-session-token",
            "Expiration": datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1),
        },
        "AssumedRoleUser": {"AssumedRoleId": "AROAEXAMPLE:weir", "Arn": "arn:aws:sts::222222222222:assumed-role/weir/weir"},
    }


def caller(call):
    prod = call.headers["who"] == PROD
    account = "222222222222" if prod else "111111111111"
    arn = "assumed-role/weir/weir" if prod else "user/me"
    return {"UserId": "AIDAEXAMPLE", "Account": account, "Arn": f"arn:aws:{'sts' if prod else 'iam'}::{account}:{arn}"}


@pytest.fixture
def aws():
    with AwsFake({ACCESS_KEY: SECRET_KEY, PROD: PROD_SECRET}) as aws:
        aws.on("sts", "AssumeRole", assumed)
        aws.on("sts", "GetCallerIdentity", caller)
        yield aws


SIM = {"accounts": {"prod": {"access_key_id": PROD, "secret_access_key": PROD_SECRET}}}


def weir_with(aws, targets, **more):
    return {
        "aws": {"endpoint": aws.url},
        "accounts": {"prod": {"role_arn": ROLE, "external_id": "from-weir"}},
        "routes": [{"model": SONNET, "targets": targets, "spill_after": "0s"}],
        **more,
    }


def test_each_account_has_a_quota_of_its_own(start, aws):
    """One account's quota is three requests; the fourth to sixth go to the other, and the seventh is refused."""
    assert SECRET == SECRET_KEY
    targets = [{"region": EAST}, {"region": EAST, "account": "prod"}]
    quota = {"model": SONNET, "region": EAST, "requests_per_minute": 3}
    s = start(
        weir=weir_with(aws, targets, quotas=[quota], queue={"deadline": "2s"}),
        sim={**SIM, "models": {"*": {**ROOMY, "requests_per_minute": 3}}},
    )
    went = []
    for _ in range(6):
        reply = s.weir.converse()
        assert reply.status == 200, reply.body
        went.append(reply.headers["x-weir-target"])
    assert went == [f"default/{EAST}/{SONNET}"] * 3 + [f"prod/{EAST}/{SONNET}"] * 3
    assert s.weir.converse().status == 429
    truth = s.sim.truth()
    for place in (EAST, f"prod/{EAST}"):
        assert truth[place][SONNET]["accepted"] == 3
        assert truth[place][SONNET]["throttled_requests"] == 0
    metrics = s.weir.metrics()
    for account in ("default", "prod"):
        assert metrics.sum("weir_attempts_total", account=account, result="ok") == 3
        assert metrics.sum("weir_quota_limit", account=account, kind="requests") == 3
        assert metrics.sum("weir_quota_used", account=account, kind="requests") == 3
        assert metrics.sum("weir_tokens_total", account=account, kind="input") > 0
        assert s.weir.line(target_account=account, target_region=EAST, status=200)
    assert [t["account"] for t in s.weir.status()["targets"]] == ["default", "prod"]
    assert len(aws.calls("AssumeRole")) == 1
    assert SECRET not in s.weir.log() and PROD_SECRET not in s.weir.log() and "a-session-token" not in s.weir.log()


def test_an_account_that_fails_gives_way_to_the_other(start, aws):
    """The other account's role is refused at STS: its calls go home, and come back once it is granted."""
    granted = []
    aws.on("sts", "AssumeRole", lambda call: assumed(call) if granted else (_ for _ in ()).throw(Fault(403, "AccessDenied", "not yours")))
    s = start(weir=weir_with(aws, [{"region": WEST, "account": "prod"}, {"region": EAST}]), sim=SIM)
    reply = s.weir.converse()
    assert (reply.status, reply.headers["x-weir-target"]) == (200, f"default/{EAST}/{SONNET}")
    wait_until(lambda: "STS answered 403 AccessDenied: not yours" in s.weir.log(), what="the log's word on it")
    granted.append(True)

    def home():
        reply = s.weir.converse()
        assert reply.status == 200
        return reply.headers["x-weir-target"] == f"prod/{WEST}/{SONNET}"

    wait_until(home, 120, "the first choice in use again")


def test_quotas_by_account(start, aws):
    targets = [{"region": EAST}, {"region": EAST, "account": "prod"}]
    quotas = [
        {"model": SONNET, "account": "default", "requests_per_minute": 2},
        {"model": SONNET, "account": "prod", "requests_per_minute": 7},
    ]
    s = start(weir=weir_with(aws, targets, quotas=quotas), sim=SIM)
    assert s.weir.converse().status == 200
    limits = {t["account"]: [l["limit"] for l in t["limits"] if l["kind"] == "requests"] for t in s.weir.status()["targets"]}
    assert limits == {"default": [2], "prod": [7]}


def test_a_reload_takes_an_account_away(start, aws):
    s = start(weir=weir_with(aws, [{"region": EAST, "account": "prod"}]), sim=SIM)
    assert s.weir.converse().headers["x-weir-target"].startswith("prod/")
    s.weir.write({"accounts": None, "routes": [{"model": SONNET, "targets": [{"region": EAST}]}]})
    assert ask(s.weir.admin, "POST", "/reload").status == 200
    assert s.weir.converse().headers["x-weir-target"] == f"{EAST}/{SONNET}"


def write(tmp_path, aws, **more):
    file = tmp_path / "weir.yaml"
    file.write_text(json.dumps({
        "regions": {EAST: {}},
        "credentials": {"source": "static", "access_key_id": ACCESS_KEY, "secret_access_key": SECRET_KEY},
        **weir_with(aws, [{"region": EAST, "account": "prod"}]),
        **more,
    }))
    return file


def whoami(*args):
    return command("whoami", *args, env={"AWS_EC2_METADATA_DISABLED": "true", "HOME": "/nonexistent"})


def test_whoami_names_every_identity_and_no_secret(tmp_path, aws):
    ran = whoami("--json", "-c", str(write(tmp_path, aws)))
    assert ran.returncode == 0, ran.stderr
    home, prod = json.loads(ran.stdout)
    assert (home["account"], home["region"], home["account_id"]) == ("default", EAST, "111111111111")
    assert home["source"] == "configuration" and home["expires"] is None
    assert (prod["account"], prod["account_id"]) == ("prod", "222222222222")
    assert prod["arn"].endswith("assumed-role/weir/weir") and prod["source"] == f"role {ROLE}" and prod["expires"]
    text = whoami("-c", str(tmp_path / "weir.yaml")).stdout
    assert f"prod in {EAST}" in text and "arn:aws:iam::111111111111:user/me" in text
    for secret in (SECRET_KEY, PROD_SECRET, "a-session-token"):
        assert secret not in text + ran.stdout + ran.stderr


def test_whoami_says_what_failed(tmp_path, aws):
    file = write(tmp_path, aws, credentials={"source": "default"})
    ran = whoami("--json", "-c", str(file))
    assert ran.returncode == 1
    home, prod = json.loads(ran.stdout)
    assert home["source"] is None and home["error"] == "no credentials"
    assert {"source": "environment", "outcome": "AWS_ACCESS_KEY_ID is not set"} in home["tried"]
    assert prod["error"] == "no credentials"
    aws.on("sts", "GetCallerIdentity", lambda call: Raw(b"half a", 200))
    ran = whoami("-c", str(write(tmp_path, aws)))
    assert ran.returncode == 1 and "STS: " in ran.stdout
    assert whoami("-c", str(tmp_path / "none.yaml")).returncode == 2


TOKENS = "Cross-region model inference tokens per minute for Anthropic Claude Sonnet 4.5 V1"


def quotas_of(call):
    value = 700_000.0 if call.headers["who"] == PROD else 5_000_000.0
    return {"Quotas": [{"ServiceCode": "bedrock", "QuotaName": TOKENS, "QuotaCode": "L-1", "Value": value, "Adjustable": True}]}


def test_limits_of_each_account_are_read_with_its_own_keys(start, aws):
    aws.on("service-quotas", "ListServiceQuotas", quotas_of)
    aws.on("service-quotas", "ListAWSDefaultServiceQuotas", quotas_of)
    aws.on("bedrock", "ListInferenceProfiles", {"inferenceProfileSummaries": []})
    targets = [{"region": EAST}, {"region": EAST, "account": "prod"}]
    s = start(weir={**weir_with(aws, targets), "aws": {"endpoint": aws.url, "read_quotas": True}}, sim=SIM)
    assert s.weir.converse().status == 200

    def limits():
        of = {t["account"]: {l["kind"]: l["limit"] for l in t["limits"]} for t in s.weir.status()["targets"]}
        return {account: kinds.get("tokens") for account, kinds in of.items()}

    wait_until(lambda: limits() == {"default": 5_000_000, "prod": 700_000}, what="the limits of both accounts")
    line = f"{SONNET} in {EAST} of account prod: 700,000 tokens per minute"
    wait_until(lambda: line in s.weir.log(), what="a line in the log")
    assert not [c for c in aws.calls("ListServiceQuotas", WEST) if c.headers["who"] == PROD], "it has no target there"


def test_weir_quotas_shows_each_account(tmp_path, aws):
    aws.on("service-quotas", "ListServiceQuotas", quotas_of)
    aws.on("service-quotas", "ListAWSDefaultServiceQuotas", quotas_of)
    aws.on("cloudwatch", "GetMetricData", {"MetricDataResults": []})
    file = tmp_path / "weir.yaml"
    targets = [{"region": EAST}, {"region": EAST, "account": "prod"}]
    static = {"source": "static", "access_key_id": ACCESS_KEY, "secret_access_key": SECRET_KEY}
    file.write_text(json.dumps({"regions": {EAST: {}}, "credentials": static, **weir_with(aws, targets)}))

    def rows(*more):
        done = command("quotas", "--json", "-c", str(file), *more)
        assert done.returncode == 0, done.stdout + done.stderr
        return {m["account"]: m["tokens_per_minute"]["applied"] for m in json.loads(done.stdout)["quotas"]}

    assert rows() == {"default": 5_000_000, "prod": 700_000}
    assert rows("--account", "prod") == {"prod": 700_000}
    assert rows("--account", "default") == {"default": 5_000_000}
    assert f"prod/{EAST}  {SONNET}" in command("quotas", "-c", str(file)).stdout
    done = command("quotas", "case", SONNET, "--account", "dev", "-c", str(file))
    assert done.returncode == 2 and "no such name" in done.stderr
