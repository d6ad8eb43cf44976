"""`weir routes --audit`: the record of where data may be processed, and why."""

import json

import pytest
from aws_fake import ACCESS_KEY, SECRET_KEY, AwsFake
from harness import SONNET, TITAN, command

KEYS = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY, "AWS_EC2_METADATA_DISABLED": "true"}
EU = "eu." + SONNET[3:]
GLOBAL = "global." + SONNET[3:]


@pytest.fixture
def aws():
    with AwsFake() as fake:
        yield fake


def runs_in(aws, destinations):
    def profile(call):
        model = call.params["inferenceProfileIdentifier"]
        base = model.split(".", 1)[1]
        return {
            "inferenceProfileName": "p",
            "inferenceProfileArn": f"arn:aws:bedrock:{call.region}:123456789012:inference-profile/{model}",
            "inferenceProfileId": model,
            "models": [{"modelArn": f"arn:aws:bedrock:{region}::foundation-model/{base}"} for region in destinations[model]],
            "status": "ACTIVE",
            "type": "SYSTEM_DEFINED",
        }

    aws.on("bedrock", "GetInferenceProfile", profile)


def audit(aws, tmp_path, routes, *more, code=0, json_too=True):
    file = tmp_path / "weir.yaml"
    regions = {r: {"control_endpoint": aws.url} for r in ("eu-west-1", "eu-central-1", "us-east-1")}
    file.write_text(json.dumps({"regions": regions, "routes": routes}))
    done = command("routes", "--audit", "-c", str(file), *(["--json"] if json_too else []), *more, env=KEYS)
    assert done.returncode == code, (done.stdout, done.stderr)
    return json.loads(done.stdout) if json_too else done.stdout


def targets_of(record):
    return [(t["region"], t["used"], t["destinations"], t["destinations_by"]) for r in record["routes"] for t in r["targets"]]


def test_destinations_are_asked(aws, tmp_path):
    runs_in(aws, {EU: ["eu-west-1", "eu-central-1", "eu-north-1"], GLOBAL: ["eu-west-1", ""]})
    routes = [
        {"model": EU, "residency": "eu", "targets": [{"region": "eu-west-1"}]},
        {"model": GLOBAL, "targets": [{"region": "eu-west-1"}]},
        {"model": TITAN, "targets": [{"region": "us-east-1"}]},
    ]
    record = audit(aws, tmp_path, routes)
    assert targets_of(record) == [
        ("eu-west-1", True, ["eu-central-1", "eu-north-1", "eu-west-1"], "bedrock"),
        ("eu-west-1", True, ["*", "eu-west-1"], "bedrock"),
        ("us-east-1", True, ["us-east-1"], "region"),
    ]
    assert record["routes"][0]["residency"] == "eu" and record["configuration"]
    text = audit(aws, tmp_path, routes, json_too=False)
    assert "any commercial Region" in text and "GetInferenceProfile" in text and "residency eu" in text


def test_without_an_answer_the_table_says_and_it_is_told(aws, tmp_path):
    routes = [{"model": EU, "residency": "eu", "targets": [{"region": "eu-west-1"}]}]
    record = audit(aws, tmp_path, routes)
    assert targets_of(record) == [("eu-west-1", True, ["eu-*"], "table")]
    assert "AccessDenied" in record["routes"][0]["targets"][0]["not_told"]
    asked = len(aws.calls())
    record = audit(aws, tmp_path, routes, "--offline")
    assert record["routes"][0]["targets"][0]["not_told"] == "not asked" and len(aws.calls()) == asked


def test_a_profile_that_leaves_its_residency(aws, tmp_path):
    runs_in(aws, {EU: ["eu-west-1", "us-east-1"]})
    routes = [{"model": EU, "residency": "eu", "targets": [{"region": "eu-west-1"}]}]
    record = audit(aws, tmp_path, routes, code=1)
    (target,) = record["routes"][0]["targets"]
    assert target["contradiction"] and "us-east-1" in target["why"]
    assert "CONTRADICTION" in audit(aws, tmp_path, routes, code=1, json_too=False)


def test_audit_is_asked_for(tmp_path):
    assert command("routes").returncode == 2
