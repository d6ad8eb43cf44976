"""weir dashboard and weir logs-queries, judged by boto3."""

import json

import pytest
from aws_fake import ACCESS_KEY, SECRET_KEY
from aws_moto import Moto
from harness import EAST, SONNET, WEST, command


@pytest.fixture
def aws():
    with Moto() as moto:
        yield moto


@pytest.fixture
def file(tmp_path, aws):
    path = tmp_path / "weir.yaml"
    path.write_text(
        json.dumps(
            {
                "regions": {EAST: {}, WEST: {}},
                "default_region": EAST,
                "credentials": {"source": "static", "access_key_id": ACCESS_KEY, "secret_access_key": SECRET_KEY},
                "aws": {"endpoint": aws.url, "metrics": {"to": "cloudwatch"}},
                "routes": [{"model": SONNET, "targets": [{"region": EAST}, {"region": WEST}]}],
            }
        )
    )
    return str(path)


def test_printed_without_a_call(file, aws):
    done = command("dashboard", "-c", file)
    assert done.returncode == 0 and json.loads(done.stdout)["widgets"]
    assert not aws.calls()


def test_put(file, aws):
    assert command("dashboard", "-c", file, "--put", "weir").returncode == 2  # nobody to ask
    done = command("dashboard", "-c", file, "--put", "weir", "--dry-run")
    assert done.returncode == 0 and "USD a month" in done.stdout and not aws.calls("PutDashboard")
    assert command("dashboard", "-c", file, "--put", "weir", "--yes").returncode == 0
    body = json.loads(aws.boto("cloudwatch").get_dashboard(DashboardName="weir")["DashboardBody"])
    titles = {w["properties"].get("title") for w in body["widgets"]}
    assert f"429 in {EAST} by kind and model" in titles and f"503 in {WEST} by model" in titles


def test_a_bad_name_is_2(file):
    assert command("dashboard", "-c", file, "--put", "a b").returncode == 2


def test_queries_are_printed():
    done = command("logs-queries")
    assert done.returncode == 0 and "# unavailable-by-volume" in done.stdout
    one = command("logs-queries", "throttles")
    assert one.returncode == 0 and one.stdout.startswith("fields error")
    assert command("logs-queries", "nonsense").returncode == 2


def test_queries_are_saved_once(file, aws):
    args = ("logs-queries", "--put", "-c", file, "--log-group", "/weir/access", "--bedrock-log-group", "/bedrock", "--yes")
    for _ in range(2):
        done = command(*args)
        assert done.returncode == 0, done.stderr
    names = [q["name"] for q in aws.queries.values()]
    assert len(names) == len(set(names)) and "weir/unavailable-by-volume" in names
    groups = {q["name"]: q["logGroupNames"] for q in aws.queries.values()}
    assert groups["weir/throttles"] == ["/weir/access"] and groups["weir/bedrock-throttles"] == ["/bedrock"]
