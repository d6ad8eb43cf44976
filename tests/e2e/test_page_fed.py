"""What the page says of frames that a gateway seldom sends: they are scripted, so that no gateway is needed."""

import pytest
from fed_page import fed  # noqa: F401  a fixture

pytestmark = pytest.mark.xdist_group("browser")  # one browser at a time

PROFILE = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123def456"

# The first target's model is a profile, and counts have its label.
AS_PROFILE = f"""
  const [target] = frame.status.targets;
  const label = '{PROFILE.rsplit("/", 1)[1]}';
  for (const one of frame.status.waiting.slice(0, 1)) one.model = '{PROFILE}';
  for (const flow of frame.counts.flows) if (flow.from_model === target.model) flow.from_model = label;
  frame.counts.attempts[0].model = frame.latency[0].model = target.model_label = label;
  target.model = '{PROFILE}';
  frame.counts.attempts[0].results.throttled_tokens = feed.seconds;
  target.breaker = 'open'
"""


def facts(page):
    """Of a detail: its facts by their names."""
    return page.page.evaluate("Object.fromEntries([...document.querySelectorAll('.table-facts > div')].map((d) => [d.children[0].textContent, d.children[1].textContent]))")


def test_a_profile_has_its_rates_and_latencies(fed):  # noqa: F811
    asked = "const url = new URL(path, location.href); if (url.pathname === '/history') { (window.histories ??= []).push(url.searchParams.get('kind') + ' ' + url.searchParams.get('name')) }"
    page = fed(2, 5, change=AS_PROFILE, answer=asked)
    page.next(10)
    troubles = page.page.locator(".troubles").inner_text()
    assert "abc123def456 answered 429 to" in troubles
    assert "its calls were answered elsewhere" in troubles
    page.page.locator(f"[data-target='batch/us-east-1/{PROFILE}'] a").click()
    page.next(3)
    seen = facts(page)
    assert seen["Answered"] != "0 a second" and seen["429"] == "1.0 a second"
    assert seen["Time of an answer, this model"] == "half within 2.0 s, 95 % within 9.0 s"
    page.page.get_by_role("link", name=PROFILE).click()
    page.next(3)
    seen = facts(page)
    assert seen["429"] == "1.0 a second" and seen["Waiting calls"] == "batch 1"
    assert seen["Time of an answer, this model"] == "half within 2.0 s, 95 % within 9.0 s"
    assert page.page.evaluate("histories.at(-1)") == "model abc123def456"
    # The table of latencies leads there by the label.
    page.page.evaluate("location.hash = '#/model/abc123def456'")
    page.page.get_by_role("heading", name="Model abc123def456").wait_for()
    page.next(3)
    assert facts(page)["Targets"].startswith("1,")
    assert page.page.locator(".target").count() == 1
    assert page.complaints == []
