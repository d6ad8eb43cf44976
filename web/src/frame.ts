// What GET /events and GET /history say. docs/operations.md describes each member.

export interface Limit {
  kind: string;
  limit: number | null;
  used: number;
  reserved: number;
  learned: boolean;
  by_instances?: number;
  foreign?: number;
  accepted_peak?: number;
  confirmed_seconds_ago?: number | null;
}

export interface Target {
  account: string;
  region: string;
  model: string;
  /** As counts and latencies name the model: modelLabel(). */
  model_label?: string;
  endpoint: string;
  tier: string | null;
  breaker: "closed" | "half-open" | "open";
  breaker_seconds_left?: number;
  /** An operator's order that is in force here. */
  held?: { state: string; by: string; reason: string; seconds_left: number } | null;
  in_flight: number;
  daily_closed: boolean;
  misconfigured: boolean;
  misconfigured_because?: {
    error: string;
    request_id: string;
    client: string;
    for_all_clients: boolean;
    seconds_left: number;
  };
  /** Of a route, and no call has had to do with it so far. */
  unused?: boolean;
  limits: Limit[];
  max_tokens: {
    mean_asked: number;
    mean_reserved?: number;
    mean_settled_cost: number;
    usable_share: number;
    enough: number;
    right_sized: number;
    truncated: number;
  };
  mean_service_seconds: number;
}

export type Counts = Record<string, number>;

export interface Client {
  name: string;
  share?: number;
  priority?: string;
  waiting?: number;
  limits?: Limit[];
  outcomes?: Counts;
  quota_tokens?: number;
  unused_tokens?: number;
  spent_today_usd?: number;
  budget?: Budget;
}

export interface BudgetStanding {
  usd: number;
  spent_usd: number;
  under_way_usd: number;
  state: string;
  renews_at: string;
}

export interface Budget {
  state: string;
  then: string;
  day: BudgetStanding | null;
  month: BudgetStanding | null;
  shared: boolean;
}

export interface Quantiles {
  count: number;
  half: number;
  most: number;
  beyond: boolean;
}

export interface Latency {
  model: string;
  request: Quantiles | null;
  first_token: Quantiles | null;
  queue: Quantiles | null;
}

export interface Flow {
  from_region: string;
  from_model: string;
  to_region: string;
  to_model: string;
  answers: number;
}

export interface Incident {
  id: string;
  state: string;
  priority: string;
  title: string;
  description: string;
  opened: number;
  updated: number;
  resolved: number;
}

export interface Paused {
  client: string;
  by: string;
  reason: string;
  seconds_left: number;
}

export interface Frame {
  time_ms: number;
  instance: string;
  mode: string;
  quota_window_seconds: number;
  reload: boolean;
  connections: { active: number; idle: number };
  streams: number;
  store: { joined: boolean; instances: number } | null;
  clients: Client[];
  unused: Pick<Target, "account" | "region" | "model" | "model_label" | "endpoint" | "tier" | "limits">[];
  counts: {
    outcomes: Counts;
    refusals: Counts;
    rescued: number;
    attempts: { account: string; region: string; model: string; results: Counts }[];
    flows: Flow[];
  };
  latency: Latency[];
  incidents: { watched: boolean; incidents: Incident[] };
  status: {
    version: string;
    configuration: { hash: string; since: string; needs_restart: string[] };
    waiting_calls: number;
    in_flight: number;
    targets: Target[];
    waiting: { model: string; priority: string; calls: number }[];
    overrides?: { account: string | null; region: string | null; model: string | null; state: string; by: string; reason: string; seconds_left: number }[];
    shedding?: { priority: string; by: string; reason: string; seconds_left: number }[];
    paused?: Paused[];
    shared: { quota: string; mode: string; instances: number }[];
  };
}

export interface History {
  kind: string;
  name: string;
  span: string;
  step_seconds: number;
  end: number;
  columns: string[];
  values: (number | null)[][];
}

/** Counts, flows and latencies have the labels of metrics, where the ARN of a profile is only its last part. */
export const modelLabel = (one: Pick<Target, "model" | "model_label">): string => one.model_label ?? one.model;

const names = new WeakMap<Target, string>();

/** As histories name a target: observe::live_name(). */
export function targetName(target: Target): string {
  let name = names.get(target);
  if (name === undefined) {
    name = nameOf(target);
    names.set(target, name);
  }
  return name;
}

function nameOf(target: Target): string {
  const parts = [target.account, target.region, target.model];
  if (target.endpoint !== "runtime") {
    parts.push(target.endpoint);
  }
  if (target.tier) {
    parts.push(target.tier);
  }
  return parts.join("/");
}

/** One of GET /requests. */
export interface Brief {
  id: string;
  arrived_unix_ms: number;
  client: string | null;
  operation: string | null;
  model: string | null;
  target_account: string | null;
  target_region: string | null;
  target_model: string | null;
  outcome: string | null;
  status: number | null;
  error: string | null;
  reason: string | null;
  attempts: number;
  queued_ms: number | null;
  first_content_ms: number | null;
  total_ms: number | null;
}

export interface Recent {
  requests: Brief[];
  complete: boolean;
  looked_at: number;
}

/** GET /explain/ID, what of it is shown. */
export interface Explanation {
  id: string;
  state: string;
  sentences: string[];
  faster: { text: string }[];
  request: { arrived_unix_ms: number; client: string | null; operation: string | null; model: string | null; priority: string };
  steps: { step: string; from_ms: number | null; to_ms?: number | null; because?: string; account?: string | null; region: string | null; model: string | null; result?: string | null; choice?: string }[];
  answer: { status: number | null; outcome: string | null; reason: string | null };
  times: { total_ms: number | null; queued_ms: number | null; first_content_ms: number | null };
}

/** The targets of routes, those that nobody has called yet included. */
export function withUnused(frame: Frame): Frame {
  const orders = frame.status.overrides ?? [];
  const means = (part: string | null, value: string): boolean => part === null || part === value;
  for (const one of frame.unused) {
    const held = orders.find((order) => means(order.account, one.account) && means(order.region, one.region) && means(order.model, one.model));
    frame.status.targets.push({
      ...one,
      unused: true,
      breaker: "closed",
      held: held ?? null,
      in_flight: 0,
      daily_closed: false,
      misconfigured: false,
      max_tokens: { mean_asked: 0, mean_settled_cost: 0, usable_share: 1, enough: 0, right_sized: 0, truncated: 0 },
      mean_service_seconds: 0,
    });
  }
  frame.unused = [];
  return frame;
}
