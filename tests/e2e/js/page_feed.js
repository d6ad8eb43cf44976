// Runs in the page before its script: answers its requests in place of weir, so that a test says which frames come and when.
// feed.world(targets, clients) makes the first frame; feed.next() sends the next second; feed.seconds counts them.
(() => {
  const encoder = new TextEncoder();
  let control = null;
  let frame = null;
  let prepared = encoder.encode("\n");
  const json = (body) => new Response(JSON.stringify(body), { status: 200, headers: { "Content-Type": "application/json" } });

  // Figures that move as under load: the same ones in each run.
  let state = 7;
  const random = () => {
    state = (state * 1103515245 + 12345) % 2147483648;
    return state / 2147483648;
  };
  const some = (most) => Math.floor(random() * most);

  const limit = (kind, most) => ({ kind, limit: most, used: some(most), reserved: 0, learned: kind === "tokens", by_instances: 0, foreign: 0, accepted_peak: most, confirmed_seconds_ago: 10 });
  const target = (n) => ({
    account: n % 2 ? "default" : "batch",
    region: ["us-east-1", "us-west-2", "eu-west-1", "eu-central-1"][n % 4],
    model: `us.anthropic.claude-${n}-20250101-v1:0`,
    endpoint: "runtime",
    tier: null,
    breaker: "closed",
    breaker_seconds_left: 0,
    held: null,
    in_flight: 0,
    daily_closed: false,
    misconfigured: false,
    prompt_cache: { kept: 0, moved: 0 },
    limits: [limit("requests", 100), limit("tokens", 100000)],
    max_tokens: { mean_asked: 4096, mean_reserved: 5000, mean_settled_cost: 2500, usable_share: 0.5, enough: 700, right_sized: 0, truncated: 0 },
    mean_service_seconds: 3,
    estimate_ratio: 1,
  });
  const client = (n) => ({
    name: `client-${String(n).padStart(4, "0")}`,
    share: 1,
    priority: ["interactive", "standard", "batch"][n % 3],
    waiting: 0,
    limits: [],
    outcomes: { ok: 0, throttled: 0 },
    quota_tokens: 0,
    unused_tokens: 0,
  });

  function world(targets, clients) {
    const list = Array.from({ length: targets }, (_, n) => target(n));
    frame = {
      time_ms: 1_790_000_000_000,
      instance: "weir-0000000000000001",
      mode: "enforce",
      quota_window_seconds: 60,
      reload: true,
      connections: { active: 10, idle: 10 },
      streams: 0,
      store: { joined: true, instances: 3 },
      clients: Array.from({ length: clients }, (_, n) => client(n)),
      unused: [],
      counts: {
        outcomes: { ok: 0, throttled: 0 },
        refusals: { quota: 0 },
        rescued: 0,
        attempts: list.map((one) => ({ account: one.account, region: one.region, model: one.model, results: { ok: 0, throttled_tokens: 0, unavailable: 0 } })),
        flows: Array.from({ length: 20 }, (_, n) => ({ from_region: "us-east-1", from_model: list[n % targets].model, to_region: "us-west-2", to_model: list[n % targets].model, answers: 0 })),
      },
      latency: list.slice(0, 50).map((one) => ({ model: one.model, request: { count: 10, half: 2, most: 9, beyond: false }, first_token: { count: 10, half: 0.5, most: 2, beyond: false }, queue: { count: 10, half: 0, most: 1, beyond: false } })),
      incidents: { watched: true, incidents: [] },
      status: {
        version: "0",
        configuration: { hash: "0123456789ab", since: "2026-01-01T00:00:00Z", needs_restart: [] },
        waiting_calls: 0,
        in_flight: 0,
        targets: list,
        waiting: list.slice(0, 20).map((one) => ({ model: one.model, priority: "batch", calls: 1 })),
        overrides: [],
        shedding: [],
        paused: [],
        shared: list.map((one) => ({ quota: `${one.account}/${one.region}/${one.model}`, mode: "joined", instances: 3 })),
      },
    };
  }

  /** A second of load: most figures change, now and then a target fails and recovers. */
  function move() {
    frame.time_ms += 1000;
    const { targets } = frame.status;
    targets.forEach((one, n) => {
      one.in_flight = some(40);
      for (const each of one.limits) {
        each.used = some(each.limit);
        each.reserved = Math.floor(each.used / 4);
      }
      const results = frame.counts.attempts[n].results;
      results.ok += some(50);
      results.throttled_tokens += some(600) === 0 ? 1 : 0;
      results.unavailable += one.breaker === "open" ? 5 : 0;
      if (some(900) === 0) {
        one.breaker = one.breaker === "closed" ? "open" : "closed";
      }
    });
    for (const one of frame.clients) {
      one.waiting = some(30) === 0 ? some(5) : 0;
      one.outcomes.ok += some(10);
      one.outcomes.throttled += some(50) === 0 ? 1 : 0;
      one.quota_tokens += some(9000);
      one.unused_tokens += some(3000);
    }
    for (const flow of frame.counts.flows) {
      flow.answers += some(3);
    }
    frame.counts.outcomes.ok += 1000;
    frame.counts.refusals.quota += some(3);
    frame.status.in_flight = some(1000);
    frame.status.waiting_calls = some(50);
    frame.streams = some(500);
  }

  function requests() {
    return Array.from({ length: 50 }, (_, n) => ({
      id: `r${feed.seconds}-${n}-0123456789`, arrived_unix_ms: frame.time_ms - 1000 * n, client: `client-000${n % 10}`, operation: "Converse", model: frame.status.targets[0].model,
      target_account: "default", target_region: "us-east-1", target_model: frame.status.targets[0].model, stream: false, outcome: n % 2 ? "ok" : "throttled", status: 200, error: null,
      reason: null, attempts: 1, queued_ms: some(9000), first_content_ms: null, total_ms: some(20000),
    }));
  }

  function history(query) {
    const names = ["answered_per_second", "refused_per_second", "failed_per_second", "throttled_per_second", "unavailable_per_second", "waiting_interactive", "waiting_standard", "waiting_batch", "in_flight", "streams", "connections", "tokens_used", "tokens_reserved", "tokens_limit", "requests_used", "requests_limit", "breaker"];
    return { kind: query.get("kind"), name: query.get("name"), span: "hour", step_seconds: 5, end: Math.floor(frame.time_ms / 1000), columns: names, values: names.map(() => Array.from({ length: 720 }, () => some(100))) };
  }

  window.fetch = async (path, init) => {
    const url = new URL(path, location.href);
    if (url.pathname === "/events") {
      const body = new ReadableStream({ start: (controller) => { control = controller; } });
      init?.signal?.addEventListener("abort", () => { control = null; });
      return new Response(body, { status: 200, headers: { "Content-Type": "text/event-stream" } });
    }
    if (url.pathname === "/history") {
      return json(history(url.searchParams));
    }
    if (url.pathname === "/requests") {
      return json({ requests: requests(), complete: true, looked_at: 50 });
    }
    return new Response("{}", { status: 404 });
  };

  // The page has drawn a frame once it waits for no animation frame of its own.
  const nextFrame = window.requestAnimationFrame.bind(window);
  let awaited = 0;
  window.requestAnimationFrame = (work) => {
    awaited += 1;
    return nextFrame((at) => {
      awaited -= 1;
      work(at);
    });
  };
  const task = () => new Promise((done) => setTimeout(done, 0));
  /** After so many animation frames in a row of which the page waits for none. */
  async function settled(quiet) {
    for (let left = quiet; left > 0; ) {
      await new Promise(nextFrame);
      await task();
      left = awaited === 0 ? left - 1 : quiet;
    }
  }

  window.feed = {
    seconds: 0,
    world,
    /** One more second reaches the page; resolves when it has been drawn. */
    async next(count = 1) {
      for (let n = 0; n < count; n += 1) {
        move();
        feed.seconds += 1;
        control.enqueue(encoder.encode(`data: ${JSON.stringify(frame)}\n\n`));
        await settled(1);
      }
      return feed.seconds;
    },
    /** So many seconds, one each animation frame, so that one comes before the one before is drawn; resolves when the last one is. */
    async rush(count) {
      for (let n = 0; n < count; n += 1) {
        move();
        feed.seconds += 1;
        control.enqueue(encoder.encode(`data: ${JSON.stringify(frame)}\n\n`));
        await new Promise(nextFrame);
      }
      await settled(2);
    },
    /** The targets of the newest frame, by the names that their rows have. */
    targets: () => Object.fromEntries(frame.status.targets.map((one) => [`${one.account}/${one.region}/${one.model}`, one])),
    /** The calls that wait of those clients that have the most. */
    waiting: (clients) => frame.clients.map((one) => one.waiting).sort((a, b) => b - a).slice(0, clients),
    /** What `draw` sends. */
    prepare() {
      move();
      prepared = encoder.encode(`data: ${JSON.stringify(frame)}\n\n`);
    },
    /** The frame that was prepared, between two marks for a trace; or, without `send`, only what waiting for it costs. `charts`: they ask for their history too. */
    async draw(send, charts) {
      performance.mark("update begins");
      if (send) {
        control.enqueue(prepared);
      }
      if (charts) {
        document.querySelector(".spans [aria-pressed=true]").click();
      }
      await settled(2);
      performance.mark("update ends");
      await task(); // what comes of this in the tester is not part of the update
    },
    listening: () => control !== null,
  };
})();
