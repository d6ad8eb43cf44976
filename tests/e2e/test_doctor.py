"""`weir doctor`: each thing that goes wrong first, brought about for real."""

import json

import pytest
import trustme
from aws_fake import ACCESS_KEY, SECRET_KEY, AwsFake, Fault
from harness import EAST, SONNET, Sim, command, free_port
from test_upstream_tls import Relay

BASE = SONNET.removeprefix("us.")
CHECKS = ["credentials", "Region", "model access", "quota", "inference profile", "clock", "proxy", "DNS", "TLS", "endpoint policy"]


def quota(value, name="Cross-region model inference tokens per minute for Anthropic Claude Sonnet 4.5 V1"):
    return {"QuotaCode": f"L-{len(name)}", "QuotaName": name, "Value": float(value), "Adjustable": True, "ServiceCode": "bedrock"}


@pytest.fixture
def aws():
    with AwsFake() as aws:
        aws.on("sts", "GetCallerIdentity", {"UserId": "AIDAEXAMPLE", "Account": "111111111111", "Arn": "arn:aws:iam::111111111111:user/me"})
        aws.on("service-quotas", "ListServiceQuotas", {"Quotas": [quota(200_000)]})
        aws.on("service-quotas", "ListAWSDefaultServiceQuotas", {"Quotas": [quota(200_000)]})
        aws.on("bedrock-runtime", "CountTokens", {"inputTokens": 3})
        yield aws


class Doctor:
    def __init__(self, tmp_path, aws):
        self.file = tmp_path / "weir.yaml"
        self.env = {"AWS_EC2_METADATA_DISABLED": "true", "HOME": str(tmp_path)}
        self.config = {
            "regions": {EAST: {"endpoint": aws.url}},
            "credentials": {"source": "static", "access_key_id": ACCESS_KEY, "secret_access_key": SECRET_KEY},
            "aws": {"endpoint": aws.url},
            "routes": [{"model": SONNET, "targets": [{"region": EAST}]}],
        }

    def __call__(self, **more):
        self.file.write_text(json.dumps({**self.config, **more}))
        ran = command("doctor", "--json", "-c", str(self.file), env=self.env)
        assert ran.returncode in (0, 1), ran.stderr
        (place,) = json.loads(ran.stdout)
        checks = {c["check"]: c for c in place["checks"]}
        assert list(checks) == CHECKS
        assert (ran.returncode == 1) == any(c["verdict"] == "failed" for c in checks.values())
        for check in checks.values():
            assert (check["remedy"] is None) == (check["verdict"] == "ok"), check
        assert SECRET_KEY not in ran.stdout + ran.stderr
        return {name: c for name, c in checks.items() if c["verdict"] != "ok"}


@pytest.fixture
def doctor(tmp_path, aws):
    return Doctor(tmp_path, aws)


def test_all_is_well(doctor):
    assert doctor() == {}
    text = command("doctor", "-c", str(doctor.file), env=doctor.env)
    assert text.returncode == 0 and "arn:aws:iam::111111111111:user/me" in text.stdout
    assert command("doctor", "-c", "/nonexistent").returncode == 2


def test_no_credentials(doctor):
    found = doctor(credentials={"source": "default"})
    assert found["credentials"]["verdict"] == "failed" and "AWS_ACCESS_KEY_ID is not set" in found["credentials"]["result"]
    assert found["model access"]["verdict"] == "unknown"


def test_wrong_keys(doctor, aws):
    aws.keys = {}
    assert doctor()["credentials"]["verdict"] == "failed"


@pytest.mark.parametrize(
    "error, check",
    [
        (Fault(403, "AccessDeniedException", "You don't have access to the model with the specified model ID."), "model access"),
        (Fault(400, "ValidationException", "The provided model identifier is invalid."), "Region"),
        (Fault(400, "ValidationException", f"Invocation of model ID {BASE} with on-demand throughput isn't supported."), "inference profile"),
        (Fault(403, "AccessDeniedException", "User is not authorized: no VPC endpoint policy allows bedrock:CountTokens. (endpoint policy)"), "endpoint policy"),
    ],
)
def test_what_the_service_says_of_a_model(doctor, aws, error, check):
    aws.on("bedrock-runtime", "CountTokens", error)
    found = doctor()
    assert list(found) == [check] and found[check]["verdict"] == "failed" and found[check]["remedy"]


def test_without_permission_to_count(doctor, aws):
    refused = Fault(403, "AccessDeniedException", "User is not authorized to perform: bedrock:CountTokens")
    aws.on("bedrock-runtime", "CountTokens", refused)
    assert doctor()["model access"]["verdict"] == "unknown"
    answer = {
        "modelId": BASE,
        "agreementAvailability": {"status": "AVAILABLE"},
        "authorizationStatus": "AUTHORIZED",
        "entitlementAvailability": "NOT_AVAILABLE",
        "regionAvailability": "AVAILABLE",
    }
    aws.on("bedrock", "GetFoundationModelAvailability", answer)
    assert doctor()["model access"]["verdict"] == "failed"
    aws.on("bedrock", "GetFoundationModelAvailability", {**answer, "entitlementAvailability": "AVAILABLE"})
    assert doctor() == {}


def test_a_quota_of_zero(doctor, aws):
    day = "Model invocation max tokens per day for Anthropic Claude Sonnet 4.5 V1 (doubled for cross-region calls)"
    aws.on("service-quotas", "ListServiceQuotas", {"Quotas": [quota(200_000), quota(0, day)]})
    found = doctor()
    assert list(found) == ["quota"] and "tokens per day" in found["quota"]["result"]


def test_a_model_that_needs_a_profile(doctor, aws):
    details = {
        "modelArn": f"arn:aws:bedrock:{EAST}::foundation-model/{BASE}",
        "modelId": BASE,
        "inferenceTypesSupported": [],
    }
    aws.on("bedrock", "GetFoundationModel", {"modelDetails": {**details, "inferenceTypesSupported": ["PROVISIONED"]}})
    found = doctor(routes=[{"model": BASE, "targets": [{"region": EAST}]}])
    assert found["inference profile"]["verdict"] == "failed" and f"us.{BASE}" in found["inference profile"]["remedy"]


def test_a_way_that_leads_nowhere(doctor):
    found = doctor(regions={EAST: {"endpoint": "https://no-such-host.invalid"}})
    assert found["DNS"]["verdict"] == "failed"
    assert found["TLS"]["verdict"] == found["clock"]["verdict"] == "unknown"
    found = doctor(regions={EAST: {"endpoint": "https://localhost", "proxy": f"http://user:hush@127.0.0.1:{free_port()}"}})
    assert found["proxy"]["verdict"] == "failed" and "hush" not in json.dumps(found)


def test_a_proxy_that_this_host_is_excepted_from_is_none(doctor):
    regions = {EAST: {"endpoint": "https://localhost"}}
    doctor.env["HTTPS_PROXY"] = f"http://me:hu@sh@127.0.0.1:{free_port()}"
    found = doctor(regions=regions)
    assert found["proxy"]["verdict"] == "failed" and "sh@" not in json.dumps(found)
    doctor.env["NO_PROXY"] = "localhost"
    assert "proxy" not in doctor(regions=regions)


def test_a_certificate_that_nobody_trusts(doctor):
    with Sim(doctor.file.parent) as sim:
        relay = Relay(sim.ports[EAST], trustme.CA().issue_cert("localhost"))
        found = doctor(regions={EAST: {"endpoint": f"https://localhost:{relay.port}"}})
    assert found["TLS"]["verdict"] == "failed" and "certificate" in found["TLS"]["result"]
    assert "DNS" not in found
