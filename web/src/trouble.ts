// What an operator has to know now, the worst first, and what weir does about it.
import type { Frame, Limit, Target } from "./frame";
import { targetName } from "./frame";
import type { Past } from "./past";
import { count, duration, limitUnit, percent, plural, shortModel } from "./words";

export type Severity = "bad" | "warn" | "note";

export interface Trouble {
  key: string;
  severity: Severity;
  what: string;
  doing: string;
  /** Where a click leads. */
  link: string | null;
}

const kFull = 0.95; // of a limit: calls begin to wait there
const kIdleShare = 0.6; // usable share of the quota below which max_tokens is worth a word

const order: Record<Severity, number> = { bad: 0, warn: 1, note: 2 };

export const targetLabel = (target: Target, accounts: boolean): string =>
  `${accounts ? `${target.account} · ` : ""}${target.region} · ${shortModel(target.model)}`;

export const severalAccounts = (frame: Frame): boolean =>
  new Set(frame.status.targets.map((one) => one.account)).size > 1;

export const linkTo = (target: Target): string => `#/target/${encodeURIComponent(targetName(target))}`;

/** The fullest of a target's limits that are known. */
export function fullest(target: Target): Limit | null {
  let best: Limit | null = null;
  for (const limit of target.limits) {
    if (limit.limit !== null && (best === null || limit.used / limit.limit > best.used / best.limit!)) {
      best = limit;
    }
  }
  return best;
}

/** Of what calls under way hold, the part that they will not use, by what calls used lately. */
export function heldInVain(target: Target, limit: Limit): number {
  const { mean_reserved: held, mean_settled_cost: cost } = target.max_tokens;
  if (!held || !cost || cost >= held || (limit.kind !== "tokens" && limit.kind !== "daily_tokens")) {
    return 0;
  }
  return Math.round(limit.reserved * (1 - cost / held));
}

export const heldWord = (state: string): string =>
  state === "drain" ? "drained" : state === "open" ? "kept open" : state;

function ofTarget(frame: Frame, past: Past, target: Target, name: string): Trouble[] {
  const out: Trouble[] = [];
  const link = linkTo(target);
  const key = targetName(target);
  const minute = past.targetMinute(target);
  const elsewhere = frame.counts.flows
    .filter((flow) => flow.from_region === target.region && flow.from_model === target.model)
    .map((flow) => ({ flow, answers: past.flowMinute(flow) }))
    .filter((one) => one.answers > 0)
    .map(({ flow, answers }) => `${count(answers)} by ${flow.to_region}${flow.to_model === flow.from_model ? "" : ` · ${shortModel(flow.to_model)}`}`);
  const flows = elsewhere.length > 0 ? ` In the last minute its calls were answered elsewhere: ${elsewhere.join(", ")}.` : "";
  const held = target.held;
  if (held) {
    const reason = held.reason === "" ? "" : ` Reason: ${held.reason}.`;
    out.push({
      key: `held/${key}`,
      severity: held.state === "open" ? "note" : "warn",
      what: `${name} is ${heldWord(held.state)} by order of ${held.by === "operator" ? "an operator" : held.by}.`,
      doing: `The order lasts ${duration(held.seconds_left)} more.${reason}${flows}`,
      link,
    });
  }
  if (target.breaker !== "closed" && held?.state !== "open") {
    const left = target.breaker_seconds_left;
    out.push({
      key: `breaker/${key}`,
      severity: target.breaker === "open" ? "bad" : "warn",
      what: target.breaker === "open" ? `${name} does not answer.` : `${name} is being tried again.`,
      doing:
        (target.breaker === "open"
          ? `The breaker is open: weir sends no calls there${left ? `, and tries it again in ${duration(left)}` : ""}.`
          : "The breaker is half-open: a few calls go there as probes.") + flows,
      link,
    });
  }
  const because = target.misconfigured_because;
  if (target.misconfigured && because) {
    out.push({
      key: `misconfigured/${key}`,
      severity: "bad",
      what: `${name} refuses calls with ${because.error}${because.for_all_clients ? "" : ` for client ${because.client}`}.`,
      doing: `Weir sends none there and tries again in ${duration(because.seconds_left)}. Check model access and permissions; the request was ${because.request_id}.`,
      link,
    });
  }
  if (target.daily_closed) {
    out.push({
      key: `daily/${key}`,
      severity: "bad",
      what: `${name} has used up the day's token quota.`,
      doing: `Weir sends calls elsewhere where a route allows it, and probes until the quota is back.${flows}`,
      link,
    });
  }
  const full = fullest(target);
  if (full !== null && full.limit !== null && full.used >= kFull * full.limit && target.breaker === "closed") {
    const waiting = frame.status.waiting
      .filter((one) => one.model === target.model)
      .reduce((total, one) => total + one.calls, 0);
    out.push({
      key: `full/${key}`,
      severity: "warn",
      what: `${name} has used ${count(full.used)} of ${count(full.limit)} ${limitUnit(full.kind, frame.quota_window_seconds)}.`,
      doing: (waiting > 0 ? `${plural(waiting, "call")} for this model wait for room.` : "The next calls wait for room.") + flows,
      link,
    });
  }
  if (minute.throttled > 0) {
    out.push({
      key: `throttled/${key}`,
      severity: "warn",
      what: `${name} answered 429 to ${plural(minute.throttled, "call")} in the last minute.`,
      doing: "Weir learns from each where the limit is, and sends the call again or elsewhere.",
      link,
    });
  }
  if (minute.unavailable > 0 && target.breaker === "closed") {
    out.push({
      key: `unavailable/${key}`,
      severity: "warn",
      what: `${name} answered 503 to ${plural(minute.unavailable, "call")} in the last minute.`,
      doing: `Weir sends the calls again or elsewhere; the breaker is closed.${flows}`,
      link,
    });
  }
  const tokens = target.max_tokens;
  if (tokens.usable_share < kIdleShare && tokens.enough > 0 && tokens.mean_asked > tokens.enough) {
    out.push({
      key: `max_tokens/${key}`,
      severity: "note",
      what: `${name}: max_tokens leaves ${percent(tokens.usable_share)} of the token quota usable.`,
      doing: `Callers ask for ${count(tokens.mean_asked)} tokens on average; ${count(tokens.enough)} are enough for their answers.`,
      link,
    });
  }
  return out;
}

export function troubles(frame: Frame, past: Past): Trouble[] {
  const out: Trouble[] = [];
  const accounts = severalAccounts(frame);
  for (const target of frame.status.targets) {
    out.push(...ofTarget(frame, past, target, targetLabel(target, accounts)));
  }
  if (frame.store !== null && !frame.store.joined) {
    out.push({
      key: "store",
      severity: "bad",
      what: "The shared store does not keep the books of every quota.",
      doing: "This instance counts alone, within its part of the quota, until the store is back.",
      link: null,
    });
  }
  for (const order of frame.status.shedding ?? []) {
    out.push({
      key: `shedding/${order.priority}/${order.by}`,
      severity: "warn",
      what: `Calls of class ${order.priority} and lower are refused by order of ${order.by === "operator" ? "an operator" : order.by}.`,
      doing: `The order lasts ${duration(order.seconds_left)} more.${order.reason === "" ? "" : ` Reason: ${order.reason}.`}`,
      link: null,
    });
  }
  for (const order of frame.status.paused ?? []) {
    out.push({
      key: `paused/${order.client}/${order.by}`,
      severity: "warn",
      what: `Client ${order.client} is paused by order of ${order.by === "operator" ? "an operator" : order.by}.`,
      doing: `Its calls are refused for ${duration(order.seconds_left)} more.${order.reason === "" ? "" : ` Reason: ${order.reason}.`}`,
      link: `#/client/${encodeURIComponent(order.client)}`,
    });
  }
  const refusals = past.refusalsMinute();
  if (refusals.length > 0) {
    const all = refusals.reduce((total, [, calls]) => total + calls, 0);
    out.push({
      key: "refusals",
      severity: "warn",
      what: `Weir refused ${plural(all, "request")} in the last minute.`,
      doing: `Reasons: ${refusals.map(([reason, calls]) => `${reason.replaceAll("_", " ")} ${count(calls)}`).join(", ")}.`,
      link: null,
    });
  }
  const covered = out.some((one) => one.key.startsWith("full/") || one.key.startsWith("breaker/"));
  if (frame.status.waiting_calls > 0 && !covered) {
    out.push({
      key: "waiting",
      severity: "note",
      what: `${plural(frame.status.waiting_calls, "call")} ${frame.status.waiting_calls === 1 ? "waits" : "wait"}.`,
      doing: "Each goes when its target has room, or gets a refusal before its deadline.",
      link: null,
    });
  }
  const restart = frame.status.configuration.needs_restart;
  if (restart.length > 0) {
    out.push({
      key: "restart",
      severity: "note",
      what: `${plural(restart.length, "setting")} of the file ${restart.length === 1 ? "needs" : "need"} a restart: ${restart.join(", ")}.`,
      doing: "Until then the old values are in force.",
      link: null,
    });
  }
  // Sorting is stable: within a severity the order of the targets stays.
  return out.sort((a, b) => order[a.severity] - order[b.severity]);
}

/** For the order of the list of targets, in whole steps so that rows do not jump about. */
export function rank(target: Target, past: Past): number {
  if (target.breaker === "open" || target.held?.state === "closed" || target.misconfigured || target.daily_closed) {
    return 4;
  }
  if (target.breaker === "half-open" || target.held?.state === "drain") {
    return 3;
  }
  if (target.unused) {
    return -1;
  }
  const full = fullest(target);
  const minute = past.targetMinute(target);
  if (minute.throttled + minute.unavailable > 0 || (full?.limit && full.used >= kFull * full.limit)) {
    return 2;
  }
  return minute.answered > 0 || target.in_flight > 0 ? 1 : 0;
}
