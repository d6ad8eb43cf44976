"""`weir iam-policy`: every call that the configured weir makes is allowed, and nothing else is; and an IAM linter finds nothing."""

import json
import subprocess
import sys

import pytest
from aws_fake import ACCESS_KEY, AwsFake
from harness import EAST, HAIKU, NOVA, SECRET, SONNET, TITAN, WEST, command, wait_until
from iam_simulator import allowing, allows_inference

ACCOUNT = "123456789012"
GLOBAL = "global." + SONNET[3:]
EU = "eu." + SONNET[3:]
APP = f"arn:aws:bedrock:{EAST}:{ACCOUNT}:application-inference-profile/abcdefghij12"
US = ["us-east-1", "us-east-2", "us-west-2"]


@pytest.fixture
def policy(tmp_path):
    def make(settings, *more, code=0):
        file = tmp_path / "weir.yaml"
        file.write_text(json.dumps({"regions": {EAST: {}, WEST: {}}, **settings}))
        done = command("iam-policy", "-c", str(file), *([] if "--account-id" in more else ["--account-id", ACCOUNT]), *more)
        if "unknown key `accounts`" in done.stderr:
            pytest.skip("this weir knows one account")
        assert done.returncode == code, done.stderr
        make.explained = done.stderr
        return json.loads(done.stdout) if code == 0 else done.stderr

    return make


def route(model, *targets):
    return {"model": model, "targets": [{"region": EAST}, *targets]}


SETTINGS = {
    "aws": {"read_quotas": False},
    "routes": [
        route(SONNET, {"region": WEST}, {"region": EAST, "model": HAIKU}),
        route(GLOBAL),
        route(TITAN),
    ],
}


def test_what_routes_call_is_allowed_and_nothing_else(policy):
    made = policy(SETTINGS)
    for stream in (False, True):
        for region in (EAST, WEST):
            assert allows_inference(made, region, ACCOUNT, SONNET, stream, US) == []
        assert allows_inference(made, EAST, ACCOUNT, HAIKU, stream, US) == []
        assert allows_inference(made, EAST, ACCOUNT, GLOBAL, stream) == []
        assert allows_inference(made, EAST, ACCOUNT, TITAN, stream) == []
    # Another Region, another geography, another model, another account.
    assert len(allows_inference(made, "eu-west-1", ACCOUNT, EU)) == 2
    assert allows_inference(made, WEST, ACCOUNT, GLOBAL)
    assert allows_inference(made, WEST, ACCOUNT, TITAN)
    assert allows_inference(made, WEST, ACCOUNT, HAIKU)
    assert allows_inference(made, EAST, ACCOUNT, NOVA)
    assert allows_inference(made, EAST, "999999999999", SONNET)
    # A profile's model by its own id, or where the profile may not run.
    for region in (EAST, WEST):
        assert allows_inference(made, region, ACCOUNT, SONNET[3:])
    assert allows_inference(made, EAST, ACCOUNT, SONNET, False, ["eu-west-1"])
    assert not allowing(made, "bedrock:InvokeModel", f"arn:aws:bedrock:::foundation-model/{SONNET[3:]}", aws__RequestedRegion=EAST)
    # No other action.
    actions = {a for s in made["Statement"] for a in s["Action"]}
    assert actions == {"bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream", "bedrock:CountTokens"}
    assert not any("*" in action for action in actions)


def test_global_profiles_need_three_statements(policy):
    made = policy({"aws": {"read_quotas": False}, "routes": [route(GLOBAL)]})
    assert len(made["Statement"]) == 3
    (anywhere,) = [s for s in made["Statement"] if s["Resource"] == [f"arn:aws:bedrock:::foundation-model/{SONNET[3:]}"]]
    assert anywhere["Condition"]["StringEquals"]["aws:RequestedRegion"] == ["unspecified"]


def test_application_profiles(policy):
    named = {"aliases": {APP: SONNET}, "aws": {"read_quotas": False}, "routes": [route(APP)]}
    made = policy(named)
    fm = f"arn:aws:bedrock:us-east-2::foundation-model/{SONNET[3:]}"
    assert allowing(made, "bedrock:InvokeModel", APP)
    assert allowing(made, "bedrock:InvokeModel", fm, bedrock__InferenceProfileArn=APP)
    assert not allowing(made, "bedrock:InvokeModel", fm)
    assert not allowing(made, "bedrock:InvokeModel", fm.replace("sonnet-4-5", "opus-4"), bedrock__InferenceProfileArn=APP)
    opaque = policy({"aws": {"read_quotas": False}, "routes": [route(APP)]})
    assert allowing(opaque, "bedrock:InvokeModel", APP)
    assert allowing(opaque, "bedrock:InvokeModel", fm, bedrock__InferenceProfileArn=APP)
    assert not allowing(opaque, "bedrock:InvokeModel", fm, bedrock__InferenceProfileArn=APP + "x")


def test_features_bring_their_actions(policy):
    base = {"routes": [route(TITAN)]}
    actions = lambda made: {a for s in made["Statement"] for a in s["Action"]}  # noqa: E731
    without = actions(policy({**base, "aws": {"read_quotas": False}}))
    reads = actions(policy(base)) - without
    assert reads == {
        "servicequotas:ListServiceQuotas",
        "servicequotas:ListAWSDefaultServiceQuotas",
        "bedrock:ListInferenceProfiles",
    }
    accounts = {"prod": {"role_arn": "arn:aws:iam::210987654321:role/weir"}}
    assert "bedrock:ApplyGuardrail" in actions(policy(base, "--also", "guardrails"))
    assert "bedrock:ListAsyncInvokes" in actions(policy(base, "--also", "async"))
    made = policy({**base, "accounts": accounts})
    assert allowing(made, "sts:AssumeRole", accounts["prod"]["role_arn"])
    assert not allowing(made, "sts:AssumeRole", "arn:aws:iam::210987654321:role/admin")


def test_another_account_gets_a_policy_of_its_own(policy):
    settings = {
        "aws": {"read_quotas": False},
        "accounts": {"prod": {"role_arn": "arn:aws:iam::210987654321:role/weir"}},
        "routes": [route(SONNET, {"region": WEST, "account": "prod"})],
    }
    ours = policy(settings)
    assert allows_inference(ours, EAST, ACCOUNT, SONNET, False, US) == []
    assert allows_inference(ours, WEST, ACCOUNT, SONNET, False, US)
    theirs = policy(settings, "--account", "prod", "--account-id", "210987654321")
    assert allows_inference(theirs, WEST, "210987654321", SONNET, False, US) == []
    assert allows_inference(theirs, EAST, "210987654321", SONNET, False, US)
    assert "no such name" in policy(settings, "--account", "dev", code=2)


def test_each_statement_is_explained(policy):
    made = policy(SETTINGS, "--explain")
    for statement in made["Statement"]:
        assert statement["Sid"] in policy.explained
    assert "--all-models" in policy.explained


CONFIGURATIONS = {
    "routes": SETTINGS,
    "reading": {"routes": [route(SONNET)]},
    "nothing": {},
    "accounts": {"accounts": {"prod": {"role_arn": "arn:aws:iam::210987654321:role/weir"}}, "routes": [route(SONNET)]},
    "everything": {
        "aliases": {APP: HAIKU},
        "routes": [
            route(SONNET, {"region": WEST, "guardrails": {"gr1": "abcdefgh1234"}}),
            route(GLOBAL),
            route(TITAN),
            route(APP),
        ],
    },
}


@pytest.mark.parametrize("kind", CONFIGURATIONS)
@pytest.mark.parametrize("more", [(), ("--operations",), ("--also", "guardrails", "--also", "async", "--also", "list")], ids=str)
def test_a_linter_finds_nothing(policy, kind, more):
    pytest.importorskip("parliament")
    made = policy(CONFIGURATIONS[kind], *more)
    # In a process of its own: it reads a large database and leaves nothing behind.
    code = (
        "import json, sys, parliament\n"
        "found = parliament.analyze_policy_string(sys.stdin.read()).findings\n"
        "print(json.dumps([f'{f.issue} {f.detail} {f.location}' for f in found]))\n"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], input=json.dumps(made), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    # Its list of actions is older than these.
    newer = ("CreateInference", "CallWithBearerToken", "CountTokens")
    found = [f for f in json.loads(done.stdout) if not any(action in f for action in newer)]
    assert found == []


def test_the_calls_of_a_running_weir_are_allowed(start, policy):
    """What a gateway with this configuration really asks of AWS, seen by the stand-ins."""
    with AwsFake({ACCESS_KEY: SECRET}) as aws:
        aws.on("service-quotas", "ListServiceQuotas", {"Quotas": []})
        aws.on("service-quotas", "ListAWSDefaultServiceQuotas", {"Quotas": []})
        aws.on("bedrock", "ListInferenceProfiles", {"inferenceProfileSummaries": []})
        targets = [{"region": EAST}, {"region": WEST}]
        reading = {"endpoint": aws.url, "read_quotas": True, "quotas_every": "1s"}
        stack = start(weir={"aws": reading, "routes": [{"model": SONNET, "targets": targets}]})
        stack.sim.fault("unavailable", region=EAST)
        for _ in range(3):
            assert stack.weir.converse().status == 200
        wait_until(lambda: len(aws.calls("ListInferenceProfiles")) >= 4, what="readings")
        made = policy({"routes": [{"model": SONNET, "targets": targets}], "aws": {"read_quotas": True}})
        used = set()
        for call in aws.calls():
            sids = allowing(made, call.action, "*", aws__RequestedRegion=call.region)
            assert sids, call
            used.update(sids)
        for region in stack.sim.truth():
            if stack.sim.arrived(region, SONNET):
                assert allows_inference(made, region, ACCOUNT, SONNET, False, US) == []
        control = {a for s in made["Statement"] if s["Sid"] in used for a in s["Action"]}
        assert control == {call.action for call in aws.calls()}, "every action allowed there is used"
