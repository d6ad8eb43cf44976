"""`weir aws init`: what it writes for an account, and that it overwrites nothing unasked."""

import json

import pytest
from aws_fake import ACCESS_KEY, SECRET_KEY, AwsFake, Fault
from harness import EAST, HAIKU, SONNET, WEST, command

KEYS = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY, "AWS_REGION": EAST}
TOKENS = "Cross-region model inference tokens per minute for Anthropic Claude Sonnet 4.5 V1"
ACCOUNT = "123456789012"


def profile(id):
    arn = f"arn:aws:bedrock:{EAST}:{ACCOUNT}:inference-profile/{id}"
    base = id.split(".", 1)[1]
    return {
        "inferenceProfileName": id,
        "inferenceProfileArn": arn,
        "inferenceProfileId": id,
        "status": "ACTIVE",
        "type": "SYSTEM_DEFINED",
        "models": [{"modelArn": f"arn:aws:bedrock:{r}::foundation-model/{base}"} for r in (EAST, WEST)],
    }


@pytest.fixture
def aws():
    with AwsFake() as fake:
        profiles = [profile(SONNET), profile(HAIKU)]
        fake.on(
            "bedrock",
            "ListInferenceProfiles",
            lambda call: {"inferenceProfileSummaries": profiles if call.params.get("typeEquals") == "SYSTEM_DEFINED" else []},
        )
        for operation in ("ListServiceQuotas", "ListAWSDefaultServiceQuotas"):
            fake.on(
                "service-quotas",
                operation,
                lambda call: {"Quotas": [{"QuotaName": TOKENS, "QuotaCode": "L-1", "Value": 400_000.0, "Adjustable": True}]},
            )
        fake.on(
            "cloudwatch",
            "ListMetrics",
            lambda call: {
                "Metrics": [
                    {
                        "Namespace": "AWS/Bedrock",
                        "MetricName": "Invocations",
                        "Dimensions": [{"Name": "ModelId", "Value": SONNET}],
                    }
                ]
            },
        )
        fake.on("cloudwatch", "DescribeAlarms", lambda call: {"MetricAlarms": [], "CompositeAlarms": []})
        fake.on(
            "sts",
            "GetCallerIdentity",
            lambda call: {"Account": ACCOUNT, "Arn": f"arn:aws:iam::{ACCOUNT}:user/me", "UserId": "AIDA"},
        )
        yield fake


def init(tmp_path, aws, *more, out="out"):
    config = tmp_path / "start.yaml"
    config.write_text(json.dumps({"aws": {"endpoint": aws.url}}))
    return command("aws", "init", "-c", str(config), "--out", str(tmp_path / out), *more, env=KEYS)


def test_files_for_what_the_account_has(tmp_path, aws):
    done = init(tmp_path, aws)
    assert done.returncode == 0, done.stdout + done.stderr
    out = tmp_path / "out"
    assert sorted(p.name for p in out.iterdir()) == ["alarms-plan.txt", "iam-policy.json", "weir.yaml"]
    text = (out / "weir.yaml").read_text()
    assert f'- model: "{SONNET}"' in text and HAIKU not in text, "only what is in use"
    assert f"AWS account {ACCOUNT}" in text and "400,000 tokens" in text
    assert EAST in text and WEST in text, "its profiles run in the west as well"
    checked = command("check", str(out / "weir.yaml"), "--strict", env=KEYS)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    policy = json.loads((out / "iam-policy.json").read_text())
    arns = [r for s in policy["Statement"] for r in s["Resource"] if "inference-profile" in r]
    assert f"arn:aws:bedrock:{EAST}:{ACCOUNT}:inference-profile/{SONNET}" in arns
    assert f"weir-throttles-{SONNET}" in (out / "alarms-plan.txt").read_text()
    changing = ("Put", "Create", "Delete", "Set", "Request", "Tag", "Subscribe")
    assert not [c for c in aws.calls() if c.operation.startswith(changing)], "it only reads"


def test_nothing_is_overwritten_unasked(tmp_path, aws):
    (tmp_path / "out").mkdir()
    mine = tmp_path / "out" / "weir.yaml"
    mine.write_text("mine")
    done = init(tmp_path, aws)
    assert done.returncode == 2 and "--yes" in done.stderr
    assert mine.read_text() == "mine" and [p.name for p in mine.parent.iterdir()] == ["weir.yaml"]
    assert init(tmp_path, aws, "--yes").returncode == 0
    assert mine.read_text() != "mine"


def test_what_is_not_permitted_is_told(tmp_path, aws):
    denied = Fault(403, "AccessDeniedException", "not authorized")
    aws.on("cloudwatch", "DescribeAlarms", denied)
    done = init(tmp_path, aws, "--model", HAIKU, "--region", EAST)
    assert done.returncode == 0 and "no alarms-plan.txt" in done.stderr and "403" in done.stderr
    text = (tmp_path / "out" / "weir.yaml").read_text()
    assert HAIKU in text and SONNET not in text and WEST not in text
    aws.on("service-quotas", "ListServiceQuotas", denied)
    aws.on("bedrock", "ListInferenceProfiles", denied)
    done = init(tmp_path, aws, out="other")
    assert done.returncode == 1 and "AWS tells nothing in us-east-1" in done.stderr
    assert list((tmp_path / "other").iterdir()) == []
