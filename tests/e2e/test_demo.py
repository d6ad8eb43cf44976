"""`weir demo`, as typed: its figures add up, and what docs/demo.svg shows is seen again in a short run."""

import json
import pathlib
import xml.etree.ElementTree as ElementTree

import pytest
from harness import command, sanitized

pytestmark = pytest.mark.xdist_group("demo")  # one process: its fixture is long

DOCS = pathlib.Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    seconds = "36" if sanitized() else "12"  # nine minutes in so few are too much for a slow build on a busy machine
    done = command("demo", "--seconds", seconds, "--seed", "2", "--json", "--svg", str(folder / "demo.svg"), timeout=60)
    assert done.returncode == 0, done.stderr
    (folder / "demo.json").write_text(done.stdout)
    return folder


@pytest.mark.parametrize("of", ["this run", "docs"])
def test_what_the_picture_claims(run, of):
    result = json.loads(((DOCS if of == "docs" else run) / "demo.json").read_text())
    rows = {row["row"]: row for row in result["rows"]}
    assert list(rows) == ["article", "sdk", "sdk_then_other", "weir_told", "weir_learned"]
    for row in rows.values():
        slots = row["slots"]
        assert row["calls"] == result["calls"] == row["answered"] + row["errors"]
        assert sum(slots["answered"]) == row["answered"] and sum(slots["failed"]) == row["errors"]
        row["in_vain"] = row["refusals"] + row["calls_into_dead_region"]
    if of == "this run" and sanitized():
        return  # what it serves is then a matter of the machine
    for weir in (rows["weir_told"], rows["weir_learned"]):
        for other in ("article", "sdk"):  # they lose all of the outage, a third of the time
            assert weir["answered"] > rows[other]["answered"] + result["calls"] / 20, other
        healthy = int(result["outage"]["from"] / result["slot_seconds"])
        assert sum(weir["slots"]["failed"][:healthy]) == 0, "unused quotas, and no Region is down"
        assert weir["in_vain"] < rows["sdk_then_other"]["in_vain"] / 2


def test_an_earlier_run_is_shown_again(run, tmp_path):
    done = command("demo", "--from", str(run / "demo.json"), "--json", "--svg", str(tmp_path / "again.svg"))
    assert done.returncode == 0 and done.stdout == (run / "demo.json").read_text()
    assert (tmp_path / "again.svg").read_bytes() == (run / "demo.svg").read_bytes()
    root = ElementTree.parse(tmp_path / "again.svg").getroot()
    assert root.tag.endswith("svg") and root.find("{http://www.w3.org/2000/svg}title") is not None
    text = command("demo", "--from", str(run / "demo.json")).stdout
    assert "Loop written by hand" in text and "with weir" in text and max(map(len, text.splitlines())) <= 100


def test_wrong_files(run, tmp_path):
    absent = command("demo", "--from", str(tmp_path / "absent.json"))
    assert absent.returncode == 2 and "absent.json" in absent.stderr
    (tmp_path / "no.json").write_text("{}")
    assert command("demo", "--from", str(tmp_path / "no.json")).returncode == 2
    done = command("demo", "--from", str(run / "demo.json"), "--svg", str(tmp_path / "absent" / "demo.svg"))
    assert done.returncode == 1 and "cannot be written" in done.stderr
