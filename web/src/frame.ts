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

export interface Frame {
  time_ms: number;
  instance: string;
  mode: string;
  quota_window_seconds: number;
  reload: boolean;
  connections: { active: number; idle: number };
  store: { joined: boolean; instances: number } | null;
  clients: Client[];
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
    shedding?: { priority: string; by: string; reason: string; seconds_left: number }[];
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

/** As histories name a target: observe::live_name(). */
export function targetName(target: Target): string {
  const parts = [target.account, target.region, target.model];
  if (target.endpoint !== "runtime") {
    parts.push(target.endpoint);
  }
  if (target.tier) {
    parts.push(target.tier);
  }
  return parts.join("/");
}
