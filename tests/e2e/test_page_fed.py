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


# The second target is another tier of the first, the third is the first at another endpoint.
THREE_OF_A_MODEL = """
  const [first, second, third] = frame.status.targets;
  for (const one of [second, third]) Object.assign(one, { account: first.account, region: first.region, model: first.model });
  second.tier = 'flex';
  third.endpoint = 'mantle';
  for (const one of [first, second, third]) one.breaker = 'open'
"""

ORDERED = """
  if (path.startsWith('/targets/')) {
    (window.ordered ??= []).push([path, JSON.parse(init.body)]);
    const afterwards = path.endsWith('/open') ? { held: 'closed', seconds: 7200 } : undefined;
    return json(200, { order: path.slice(9), seconds: 300, targets: [{}, {}, {}], afterwards });
  }
"""


def test_an_order_names_all_the_targets_that_it_is_for(fed):  # noqa: F811
    page = fed(5, 5, change=THREE_OF_A_MODEL, answer=ORDERED)
    whats = page.page.locator(".troubles .what").all_inner_texts()
    label = "batch · us-east-1 · us.anthropic.claude-0"
    assert {f"{label} does not answer.", f"{label} · flex does not answer.", f"{label} · mantle does not answer."} <= set(whats)
    page.page.locator(".target a", has_text="flex").click()
    page.next(2)
    dialog = page.page.locator("dialog")
    for verb in ("Close", "Drain", "Open"):
        page.page.get_by_role("button", name=f"{verb} …").click()
        dialog.get_by_text("The order is for all 3 targets of this model in this Region and account batch, not for one of them alone:").wait_for()
        assert dialog.locator("li").all_inner_texts() == ["endpoint runtime, tier as in the call", "endpoint runtime, tier flex", "endpoint mantle, tier as in the call"]
        dialog.get_by_label("For").select_option("5m")
        dialog.get_by_label("Reason").fill("a test")
        dialog.get_by_role("button", name=verb, exact=True).click()
        dialog.wait_for(state="hidden")
        said = page.page.locator(".said")
        model = "us.anthropic.claude-0-20250101-v1:0"
        said.get_by_text(f"Order given to {verb.lower()} 3 targets of us-east-1 · {model}.").wait_for()
        # Of its 7,200 seconds 300 pass while the target is open.
        assert ("Afterwards a wider order closes them again, for another 2 h." in said.inner_text()) == (verb == "Open")
    assert page.page.evaluate("ordered[0]") == ["/targets/close", {"account": "batch", "region": "us-east-1", "model": model, "for": "5m", "reason": "a test"}]
    assert page.complaints == []


def test_an_order_for_a_model_with_one_target_says_so(fed):  # noqa: F811
    page = fed(2, 5, route="#/target/default%2Fus-west-2%2Fus.anthropic.claude-1-20250101-v1:0")
    page.page.get_by_role("button", name="Drain …").click()
    page.page.locator("dialog").get_by_text("The order is for the one target of this model in this Region and account default:").wait_for()
    assert page.complaints == []


OTHER_AND_NONE = """
  Object.assign(frame.clients[0], { name: 'other', waiting: 7, share: window.configured });
  Object.assign(frame.clients[1], { name: 'none', waiting: 6 });
  frame.clients[2].waiting = 5;
  frame.status.paused = [{ client: 'none', by: 'operator', reason: '', seconds_left: 60 }]
"""


def test_clients_that_are_counted_together_have_no_detail(fed):  # noqa: F811
    page = fed(2, 3, change=OTHER_AND_NONE)
    page.scroll_to("Clients")
    page.next(1)
    rows = page.page.get_by_role("region", name="Clients").locator("tbody tr")
    links = rows.evaluate_all("rows => rows.map((row) => [row.cells[0].textContent, row.querySelector('a')?.getAttribute('href') ?? null])")
    assert links == [["other", None], ["(no name)", "#/client/none"], ["client-0002", "#/client/client-0002"]]
    assert page.page.locator(".troubles", has_text="Client (no name) is paused by order of an operator.").count()
    page.page.evaluate("location.hash = '#/client/other'")
    page.page.get_by_text("Clients beyond the first 200 names are counted together here.").wait_for()
    assert not page.page.get_by_role("button", name="Pause").count() and not page.page.locator(".requests").is_visible()
    # Another may have that name, if it is configured.
    page.page.evaluate("configured = 2; location.hash = '#/'")
    page.next(2)
    page.scroll_to("Clients")
    page.next(2)
    assert rows.first.inner_text().startswith("other") and rows.first.locator("a").get_attribute("href") == "#/client/other"
    rows.first.locator("a").click()
    page.next(2)
    page.page.get_by_role("button", name="Pause …").wait_for()
    assert page.complaints == []


def test_a_reason_is_more_than_blanks(fed):  # noqa: F811
    answer = "if (path.startsWith('/clients/')) { (window.ordered ??= []).push(JSON.parse(init.body).reason); return json(200, {}) }"
    page = fed(2, 3, answer=answer, route="#/client/client-0000")
    page.page.get_by_role("button", name="Pause …").click()
    dialog = page.page.locator("dialog")
    reason, go = dialog.get_by_label("Reason"), dialog.get_by_role("button", name="Pause", exact=True)
    for blanks in ("", "   ", "\u00a0\u00a0"):
        reason.fill(blanks)
        go.click()
        page.settle()
        assert dialog.is_visible() and page.page.evaluate("window.ordered") is None
    reason.fill("  runs away ")
    go.click()
    dialog.wait_for(state="hidden")
    assert page.page.evaluate("ordered") == ["runs away"]
    assert page.complaints == []


LOCKED = """
  if (path === '/events' && new Headers(init.headers).get('Authorization') !== 'Bearer sesame-key') {
    window.asked = (window.asked ?? 0) + 1;
    return json(401, { message: 'weir: the admin key is needed' });
  }
"""


@pytest.mark.parametrize("kept", [False, True])
def test_a_key_that_no_header_can_carry_is_refused(fed, kept):  # noqa: F811
    pasted = "sesame\u2011key"
    page = fed(2, 3, answer=LOCKED, listens=False, before=f"sessionStorage.setItem('weir-admin-key', '{pasted}')" if kept else "")
    field, problem = page.page.get_by_label("Key"), page.page.get_by_text("Weir does not take this key.")
    if not kept:
        field.wait_for()
        assert not problem.is_visible()
        field.fill(pasted)
        field.press("Enter")
    problem.wait_for()
    assert field.is_visible() and field.input_value() == ""
    assert page.page.evaluate("sessionStorage.length") == 0
    assert page.page.locator(".live").inner_text() == "Waiting for the admin key"
    field.fill("sesame-key")
    field.press("Enter")
    page.begin()
    assert not field.is_visible() and page.page.locator(".target").count() == 2
    assert page.complaints == []


WAITS = """
  const url = new URL(path, location.href);
  if (url.pathname === '/requests') {
    const one = { arrived_unix_ms: 1790000000000, client: 'chat', operation: 'Converse', model: 'm', target_account: 'default', target_region: 'us-east-1', target_model: 'm', outcome: 'throttled', status: 429, error: null, reason: 'quota', attempts: 1, first_content_ms: null, total_ms: 2000 };
    return json(200, { requests: [0, 0.3, 0.7, 99, 100].map((queued_ms, n) => ({ ...one, id: String(n), queued_ms })), complete: true, looked_at: 5 });
  }
"""


def test_no_wait_is_0_ms(fed):  # noqa: F811
    page = fed(2, 3, answer=WAITS, change="frame.latency[0].first_token.half = 0; frame.latency[0].request.half = 0.0001")
    page.scroll_to("Latency, last minute")
    page.next(2)
    cells = page.page.get_by_role("region", name="Latency by model").locator("tbody tr").first.locator("td").all_inner_texts()
    assert cells[1:5] == ["< 1 ms", "9.0 s", "0 ms", "2.0 s"]
    page.scroll_to("Recent requests")
    page.settle()
    waits = page.page.get_by_role("region", name="Recent requests").locator("tbody td:nth-child(8)").all_inner_texts()
    assert waits == ["0 ms", "< 1 ms", "1 ms", "99 ms", "0.1 s"]
    assert page.complaints == []


# Where the labels of charts begin, in pixels of their canvas: what is left of 0 is cut off.
LABELS = """
  window.labels = {};
  const fillText = CanvasRenderingContext2D.prototype.fillText;
  CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {
    if (this.textAlign === 'right') {
      labels[text] = this.getTransform().e + x - this.measureText(text).width;
    }
    return fillText.call(this, text, x, y);
  }
"""

LARGE_HISTORY = """
  const url = new URL(path, location.href);
  if (url.pathname === '/history') {
    const columns = ['tokens_used', 'tokens_reserved', 'tokens_limit', 'requests_used', 'requests_limit', 'breaker'];
    const most = { tokens_used: window.large, tokens_limit: window.large, requests_used: 90 };
    const values = columns.map((name) => Array.from({ length: 720 }, (_, n) => name === 'breaker' ? 1 : Math.round((most[name] ?? 100) * (0.5 + 0.5 * Math.sin(n / 30)))));
    return json(200, { kind: 'target', name: '', span: url.searchParams.get('span'), step_seconds: 5, end: 1790000000, columns, values });
  }
"""


@pytest.mark.parametrize("screen", [{}, {"color_scheme": "dark"}, {"viewport": {"width": 360, "height": 740}, "device_scale_factor": 2}], ids=["light", "dark", "phone"])
def test_no_label_of_an_axis_is_cut(fed, screen):  # noqa: F811
    route = "#/target/default%2Fus-west-2%2Fus.anthropic.claude-1-20250101-v1:0"
    page = fed(2, 3, before=LABELS + "; window.large = 450000", answer=LARGE_HISTORY, route=route, **screen)
    tokens = page.page.locator("figure", has_text="Tokens of the window")

    def plot_left():
        return tokens.locator(".u-over").evaluate("node => node.offsetLeft")

    for large, one_of in ((450_000, ["400,000"]), (600, ["400", "500"]), (45_000_000, ["40,000,000"])):
        page.page.evaluate("large => { window.large = large; labels = {} }", large)
        page.page.locator("[data-span=day]" if large == 600 else "[data-span=hour]").click()
        tokens.scroll_into_view_if_needed()  # the click has scrolled away from it
        page.page.wait_for_function("wanted => wanted.some((label) => label in labels)", arg=one_of)
        page.settle()
        page.picture(f"axis-{large}-{screen.get('color_scheme', len(screen))}")
        assert min(page.page.evaluate("Object.values(labels)")) >= 0, page.page.evaluate("labels")
        assert large != 600 or plot_left() == 58, "as wide as ever"
        assert plot_left() <= 0.4 * tokens.evaluate("node => node.clientWidth")
    breaker = page.page.locator("figure", has_text="Breaker")
    breaker.scroll_into_view_if_needed()
    page.page.wait_for_function("'half-open' in labels")
    assert page.page.evaluate("labels['half-open']") >= 0
    assert page.complaints == []


HAPPENED = """
  const url = new URL(path, location.href);
  if (url.pathname === '/requests') {
    const one = { arrived_unix_ms: 1790000000000, client: 'chat', operation: 'Converse', model: 'm', target_account: 'default', target_region: 'us-east-1', target_model: 'm', outcome: 'ok', status: 200, error: null, reason: null, attempts: 1, queued_ms: 0, first_content_ms: null, total_ms: 2000 };
    const requests = [{ queued_ms: 40 }, { attempts: 3 }, { queued_ms: 40, attempts: 2 }, {}, { outcome: 'throttled', reason: 'daily_quota' }, { outcome: 'server_error', error: 'InternalServerException' }];
    return json(200, { requests: requests.map((more, n) => ({ ...one, ...more, id: String(n) })), complete: true, looked_at: 6 });
  }
"""


def test_recent_requests_say_why_they_are_listed(fed):  # noqa: F811
    page = fed(2, 3, answer=HAPPENED)
    page.scroll_to("Recent requests")
    page.settle()
    page.picture("requests")
    assert page.page.get_by_label("Requests", exact=True).locator("option").first.inner_text() == "that waited, failed, were refused or went elsewhere"
    outcomes = page.page.get_by_role("region", name="Recent requests").locator("tbody td:nth-child(6)")
    others = ["throttled: daily quota", "server error: InternalServerException"]
    assert outcomes.all_inner_texts() == ["ok: waited", "ok: 3 attempts", "ok: waited, 2 attempts", "ok: by another target than the first", *others]
    # Among all requests one of which there is nothing to tell may have gone to its first target.
    page.page.get_by_label("Requests", exact=True).select_option("all")
    page.page.get_by_role("cell", name="ok", exact=True).wait_for()
    assert outcomes.all_inner_texts() == ["ok: waited", "ok: 3 attempts", "ok: waited, 2 attempts", "ok", *others]
    assert page.complaints == []


def test_a_screen_reader_is_not_told_the_time(fed):  # noqa: F811
    page = fed(2, 3)
    page.page.evaluate(
        "window.told = 0; for (const region of document.querySelectorAll('[role=status], [role=alert], [aria-live]')) "
        "new MutationObserver(() => { told += 1 }).observe(region, { subtree: true, childList: true, characterData: true })"
    )
    time = page.page.locator("header .time")
    before = time.inner_text()
    page.next(5)
    assert time.inner_text() != before
    assert page.page.evaluate("told") == 0
    assert page.page.locator(".live").inner_text() == "Live"
    assert page.complaints == []


@pytest.mark.parametrize("width", [1280, 1000, 640, 360])
def test_nothing_is_wider_than_the_screen(fed, width):  # noqa: F811
    page = fed(5, 5, change=THREE_OF_A_MODEL, answer=HAPPENED, viewport={"width": width, "height": 900})
    for heading in ("Targets", "Regions", "Clients", "Recent requests"):
        page.scroll_to(heading)
        page.next(2)
        assert page.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), heading


def test_the_name_of_a_link_has_what_it_shows(fed):  # noqa: F811
    page = fed(5, 5, change=THREE_OF_A_MODEL)
    links = page.page.locator(".target a").evaluate_all("links => links.map((link) => [link.textContent, link.ariaLabel])")
    model = "batch/us-east-1/us.anthropic.claude-0-20250101-v1:0"
    assert [name for text, name in links if "batch · us-east-1" in text and "claude-0" in name] == [model, f"batch · us-east-1 · flex: {model}/flex", f"batch · us-east-1 · mantle: {model}/mantle"]
