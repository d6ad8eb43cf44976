"""`weir plan`, as typed."""

import json
import xml.etree.ElementTree as ElementTree

from harness import SONNET, command

CSV = "timestamp,input,output,client\n" + "".join(f"{i * 0.5},1000,200,{'etl' if i % 3 else 'chat'}\n" for i in range(600))


def trace(tmp_path):
    file = tmp_path / "trace.csv"
    file.write_text(CSV)
    return str(file)


def test_the_same_load_four_ways(tmp_path):
    svg = tmp_path / "plan.svg"
    done = command("plan", "--trace", trace(tmp_path), "--load", "1.1", "--compare", "--json", "--svg", str(svg))
    assert done.returncode == 0 and done.stderr == ""
    plan = json.loads(done.stdout)
    assert [s["strategy"] for s in plan["strategies"]] == ["weir", "article", "sdk_standard", "sdk_adaptive"]
    weir, loop = plan["strategies"][:2]
    assert 5 * weir["refusals"] < loop["refusals"]
    assert ElementTree.parse(svg).getroot().tag.endswith("svg")


def test_quotas_and_outages_may_be_given_several_times(tmp_path):
    done = command(
        "plan", "--trace", trace(tmp_path), "--quota", f"{SONNET}=300000/200", "--quota", "other=5",
        "--outage", "us-east-1:10-20", "--outage", "us-east-1:100-120", "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    weir = json.loads(done.stdout)["strategies"][0]
    assert weir["quotas"][0]["requests_per_minute"] == 200
    assert [o["to"] for o in weir["outages"]] == [20, 120]


def test_a_log_with_a_torn_line_is_read_and_its_doubts_are_said(tmp_path):
    lines = [
        json.dumps({"ts": f"2026-11-23T10:00:{i // 10:02}.{i % 10}00Z", "total_ms": 5, "input": 100, "output": 10, "model": SONNET})
        for i in range(300)
    ]
    lines[40] = lines[40][:25]
    file = tmp_path / "access.log"
    file.write_text("\n".join(lines) + "\n" + lines[0][:30])
    done = command("plan", "--trace", str(file), "--quota", f"{SONNET}=300000")
    assert done.returncode == 0, done.stderr
    assert "2 lines could not be read" in done.stdout and f"{file}:41: " in done.stdout
    assert "30 s of traffic" in done.stdout
    plan = json.loads(command("plan", "--trace", str(file), "--quota", f"{SONNET}=300000", "--json").stdout)
    assert plan["trace"]["bad_lines"] == 2 and plan["trace"]["shorter_than_a_minute"]
    assert 680 <= plan["advice"]["quotas"][0]["requests_per_minute"] <= 700, plan["advice"]


def test_wrong_use_is_2(tmp_path):
    file = trace(tmp_path)
    for args in [[], ["--trace", "absent.csv"], ["--trace", file, "--load", "0"], ["--trace", file, "--window", "x"]]:
        done = command("plan", *args)
        assert done.returncode == 2 and done.stderr and not done.stdout
