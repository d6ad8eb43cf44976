"""weir alarms against services that keep what they are told, judged by boto3."""

import json

import pytest
from aws_fake import ACCESS_KEY, SECRET_KEY, Fault, Raw
from aws_moto import Moto
from harness import EAST, HAIKU, SONNET, WEST, command

ACCOUNT = "123456789012"


@pytest.fixture
def aws():
    with Moto() as moto:
        yield moto


class Account:
    """A configuration, and weir alarms with it."""

    def __init__(self, folder, aws):
        self.aws, self.file = aws, folder / "weir.yaml"
        self.config = {
            "regions": {EAST: {}, WEST: {}},
            "default_region": EAST,
            "credentials": {"source": "static", "access_key_id": ACCESS_KEY, "secret_access_key": SECRET_KEY},
            "aws": {
                "endpoint": aws.url,
                "metrics": {"to": "cloudwatch"},
                "alarms": {
                    "critical": ["https://events.pagerduty.com/integration/x/enqueue", "email:night@example.com"],
                    "warning": ["email:day@example.com"],
                },
            },
            "quotas": [{"model": SONNET, "region": EAST, "tokens_per_minute": 200000, "requests_per_minute": 200}],
            "routes": [{"model": SONNET, "targets": [{"region": EAST}, {"region": WEST}, {"region": EAST, "model": HAIKU}]}],
        }

    def weir(self, *args):
        self.file.write_text(json.dumps(self.config))
        return command("alarms", *args, "-c", str(self.file))

    def changes(self):
        """In the east."""
        done = self.weir("plan", "--json")
        assert done.returncode == 0, done.stderr
        plan = json.loads(done.stdout)
        return {a["name"]: a["action"] for a in plan["alarms"] if a["action"] != "none" and a["region"] == EAST}


@pytest.fixture
def account(tmp_path, aws):
    return Account(tmp_path, aws)


def good(done):
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_plan_changes_nothing_and_says_the_price(account, aws):
    out = good(account.weir("plan"))
    assert f"+ weir-throttles-{SONNET}: Warning: more than 10 refusals (429) in 5 minutes" in out
    assert "USD a month" in out and f"account {ACCOUNT}" in out
    assert "Nobody is told of info" in out
    assert not aws.alarms(EAST) and not aws.boto("sns").list_topics()["Topics"]


def test_apply_makes_them_and_a_second_time_nothing(account, aws):
    good(account.weir("apply", "--yes"))
    east, west = aws.alarms(EAST), aws.alarms(WEST)
    throttles = east[f"weir-throttles-{SONNET}"]
    assert (throttles["Namespace"], throttles["MetricName"], throttles["Statistic"]) == ("AWS/Bedrock", "InvocationThrottles", "Sum")
    assert (throttles["Period"], throttles["Threshold"]) == (300, 10)
    assert throttles["Dimensions"] == [{"Name": "ModelId", "Value": SONNET}]
    assert "Runbook: docs/runbooks/throttles.md" in throttles["AlarmDescription"]
    assert not throttles["AlarmActions"]  # the composite one tells
    success = {m["Id"]: m for m in east[f"weir-success-{SONNET}"]["Metrics"]}
    assert success["e"]["ReturnData"] and success["a0"]["MetricStat"]["Metric"]["MetricName"] == "Invocations"
    critical, warning = east["weir-critical"], east["weir-warning"]
    assert critical["AlarmRule"] == 'ALARM("weir-availability")'
    assert critical["AlarmActions"] == [f"arn:aws:sns:{EAST}:{ACCOUNT}:weir-critical"]
    assert f'ALARM("weir-unavailable-{WEST}-{SONNET}")' in warning["AlarmRule"]
    made = aws.calls("PutCompositeAlarm", EAST)
    assert [c.params.get("ActionsSuppressor") for c in made] == [None, "weir-critical", "weir-critical"]
    assert set(west) == {f"weir-{k}-{SONNET}" for k in ("throttles", "steady-throttles", "success")} | {"weir-warning", "weir-info"}

    told = aws.boto("sns").list_subscriptions()["Subscriptions"]
    assert sorted((s["TopicArn"].split(":")[-1], s["Protocol"], s["Endpoint"]) for s in told) == [
        ("weir-critical", "email", "night@example.com"),
        ("weir-critical", "https", "https://events.pagerduty.com/integration/x/enqueue"),
        ("weir-warning", "email", "day@example.com"),
    ]

    # moto does not give back what silences an alarm, so that alone differs.
    aws.on("cloudwatch", "DescribeAlarms", lambda call: with_suppressors(aws, call))
    before = len(aws.calls())
    assert "Nothing to change" in good(account.weir("apply", "--yes"))
    writes = {c.operation for c in aws.calls()[before:]} - {
        "GetCallerIdentity", "DescribeAlarms", "ListSubscriptionsByTopic", "ListTagsForResource"
    }  # fmt: skip
    assert not writes


def with_suppressors(aws, call):
    answer = aws.passed_on(call)
    for alarm in answer["CompositeAlarms"]:
        for put in aws.calls("PutCompositeAlarm", call.region):
            if put.params["AlarmName"] == alarm["AlarmName"]:
                alarm.update({k: v for k, v in put.params.items() if k.startswith("ActionsSuppressor")})
    return answer


def test_a_changed_threshold_and_a_dropped_model(account, aws):
    aws.on("cloudwatch", "DescribeAlarms", lambda call: with_suppressors(aws, call))
    good(account.weir("apply", "--yes"))
    account.config["aws"]["alarms"]["throttles"] = 50
    account.config["routes"][0]["targets"].pop()
    changes = account.changes()
    assert changes[f"weir-throttles-{SONNET}"] == "change" and changes[f"weir-throttles-{HAIKU}"] == "remove"
    assert "Threshold 10.0 -> 50" in good(account.weir("apply", "--dry-run"))
    assert f"weir-throttles-{HAIKU}" in aws.alarms(EAST)
    good(account.weir("apply", "--yes"))
    assert aws.alarms(EAST)[f"weir-throttles-{SONNET}"]["Threshold"] == 50
    assert f"weir-throttles-{HAIKU}" not in aws.alarms(EAST)
    assert not account.changes()


def test_only_its_own_are_touched(account, aws):
    cloudwatch = aws.boto("cloudwatch")
    for name in (f"weir-throttles-{SONNET}", "weir-by-hand", "production"):
        cloudwatch.put_metric_alarm(
            AlarmName=name, Namespace="X", MetricName="Y", Period=60, EvaluationPeriods=1, Threshold=1, Statistic="Sum",
            ComparisonOperator="GreaterThanThreshold",
        )  # fmt: skip
    changes = account.changes()
    assert changes[f"weir-throttles-{SONNET}"] == "leave" and "weir-by-hand" not in changes
    good(account.weir("apply", "--yes"))
    assert aws.alarms(EAST)[f"weir-throttles-{SONNET}"]["Namespace"] == "X"
    good(account.weir("delete", "--yes"))
    assert set(aws.alarms(EAST)) == {f"weir-throttles-{SONNET}", "weir-by-hand", "production"}
    assert not aws.alarms(WEST)
    assert not aws.boto("sns").list_topics()["Topics"]


def test_a_topic_of_somebody_else_is_not_taken(account, aws):
    aws.boto("sns").create_topic(Name="weir-critical")
    done = account.weir("plan")
    assert done.returncode == 1 and "was not made by weir" in done.stderr


def test_without_a_terminal_it_asks_for_yes(account, aws):
    done = account.weir("apply")
    assert done.returncode == 2 and "--yes" in done.stderr
    assert not aws.alarms(EAST)


def test_a_drill_rings_waits_and_puts_back(account, aws):
    good(account.weir("apply", "--yes"))
    name = f"weir-throttles-{SONNET}"
    out = good(account.weir("test", name, "--yes", "--wait", "20s", "--json"))
    # Of both Regions; in the west nobody is told... of the same topic's name.
    results = json.loads(out)
    assert {(r["outcome"], r["put_back"]) for r in results} == {("delivered", True)}, results
    states = [c.params["StateValue"] for c in aws.calls("SetAlarmState", EAST)]
    assert states[0] == "ALARM" and states[-1] != "ALARM"
    assert aws.alarms(EAST)[name]["StateValue"] != "ALARM"


def test_a_drill_that_is_not_delivered_fails_and_puts_back(account, aws):
    good(account.weir("apply", "--yes"))
    aws.deaf = True
    name = "weir-availability"
    done = account.weir("test", name, "--yes", "--wait", "1s")
    assert done.returncode == 1 and "did not ring" in done.stdout
    assert aws.alarms(EAST)[name]["StateValue"] != "ALARM"


def test_a_drill_whose_first_answer_was_lost_puts_back(account, aws):
    """CloudWatch did it, and the answer was an error: the alarm must not be left ringing."""
    good(account.weir("apply", "--yes"))
    name = "weir-availability"

    def set_and_fail(call):
        aws.set_alarm_state(call)
        if call.params["StateValue"] == "ALARM":
            raise Fault(500, "InternalFailure", "try again later")
        return {}

    aws.on("cloudwatch", "SetAlarmState", set_and_fail)
    done = account.weir("test", name, "--yes", "--wait", "1s")
    assert done.returncode == 1 and "InternalFailure" in done.stdout
    assert aws.alarms(EAST)[name]["StateValue"] != "ALARM"


def test_a_drill_without_alarms_sets_nothing(account, aws):
    done = account.weir("test", "--yes")
    assert done.returncode == 1 and "absent" in done.stdout
    assert not aws.calls("SetAlarmState")


@pytest.mark.parametrize(
    "answer, word",
    [
        (Fault(403, "AccessDenied", "not authorized to perform: cloudwatch:DescribeAlarms"), "AccessDenied"),
        (Raw(b"<html>", 200), "not a JSON object"),
        (Raw(json.dumps({"MetricAlarms": [1, {}, {"AlarmName": 3}], "CompositeAlarms": []}).encode(), 200), None),
    ],
)
def test_a_wrong_answer_is_told(account, aws, answer, word):
    aws.on("cloudwatch", "DescribeAlarms", answer)
    done = account.weir("plan")
    assert done.returncode == (1 if word else 0), done.stderr
    assert (word or "") in done.stderr
