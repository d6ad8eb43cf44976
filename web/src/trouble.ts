// What an operator has to know now, the worst first, and what weir does about it.
import type { Frame, Limit, Target } from "./frame";
import { modelLabel, targetName } from "./frame";
import type { Past } from "./past";
import { clientName, count, duration, limitUnit, percent, plural, shortModel } from "./words";

export type Severity = "bad" | "warn" | "note";

export interface Trouble {
  key: string;
  severity: Severity;
  /** What is wrong, and what weir does about it: made for those that are shown. */
  words: () => [string, string];
  /** Where a click leads. */
  link: string | null;
}

const kFull = 0.95; // of a limit: calls begin to wait there
const kIdleShare = 0.6; // usable share of the quota below which max_tokens is worth a word

const order: Record<Severity, number> = { bad: 0, warn: 1, note: 2 };

export const targetLabel = (target: Target, accounts: boolean): string =>
  [...(accounts ? [target.account] : []), target.region, shortModel(target.model), ...tierAndEndpoint(target)].join(" · ");

/** Where they are not the usual ones: targets of one model in one Region differ by them. */
export const tierAndEndpoint = (target: Target): string[] => [...(target.tier ? [target.tier] : []), ...(target.endpoint === "runtime" ? [] : [target.endpoint])];

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

/** Who answers in the target's place. */
function elsewhere(frame: Frame, past: Past, target: Target): string {
  const by = frame.counts.flows
    .filter((flow) => flow.from_region === target.region && flow.from_model === modelLabel(target))
    .map((flow) => ({ flow, answers: past.flowMinute(flow) }))
    .filter((one) => one.answers > 0)
    .map(({ flow, answers }) => `${count(answers)} by ${flow.to_region}${flow.to_model === flow.from_model ? "" : ` · ${shortModel(flow.to_model)}`}`);
  return by.length > 0 ? ` In the last minute its calls were answered elsewhere: ${by.join(", ")}.` : "";
}

function ofTarget(frame: Frame, past: Past, target: Target, accounts: boolean): Trouble[] {
  const out: Trouble[] = [];
  const minute = past.targetMinute(target);
  /** The first of the words goes on after the target's name. */
  const add = (kind: string, severity: Severity, words: () => [string, string]): void => {
    out.push({
      key: `${kind}/${targetName(target)}`,
      severity,
      words: () => {
        const [what, doing] = words();
        return [targetLabel(target, accounts) + what, doing];
      },
      link: linkTo(target),
    });
  };
  const flows = (): string => elsewhere(frame, past, target);
  const held = target.held;
  if (held) {
    const reason = held.reason === "" ? "" : ` Reason: ${held.reason}.`;
    add("held", held.state === "open" ? "note" : "warn", () => [
      ` is ${heldWord(held.state)} by order of ${held.by === "operator" ? "an operator" : held.by}.`,
      `The order lasts ${duration(held.seconds_left)} more.${reason}${flows()}`,
    ]);
  }
  if (target.breaker !== "closed" && held?.state !== "open") {
    const left = target.breaker_seconds_left;
    add("breaker", target.breaker === "open" ? "bad" : "warn", () => [
      target.breaker === "open" ? " does not answer." : " is being tried again.",
      (target.breaker === "open"
        ? `The breaker is open: weir sends no calls there${left ? `, and tries it again in ${duration(left)}` : ""}.`
        : "The breaker is half-open: a few calls go there as probes.") + flows(),
    ]);
  }
  const because = target.misconfigured_because;
  if (target.misconfigured && because) {
    add("misconfigured", "bad", () => [
      ` refuses calls with ${because.error}${because.for_all_clients ? "" : ` for client ${because.client}`}.`,
      `Weir sends none there and tries again in ${duration(because.seconds_left)}. Check model access and permissions; the request was ${because.request_id}.`,
    ]);
  }
  if (target.daily_closed) {
    add("daily", "bad", () => [
      " has used up the day's token quota.",
      `Weir sends calls elsewhere where a route allows it, and probes until the quota is back.${flows()}`,
    ]);
  }
  const full = fullest(target);
  if (full !== null && full.limit !== null && full.used >= kFull * full.limit && target.breaker === "closed") {
    const { limit } = full;
    add("full", "warn", () => {
      const waiting = frame.status.waiting
        .filter((one) => one.model === target.model)
        .reduce((total, one) => total + one.calls, 0);
      return [
        ` has used ${count(full.used)} of ${count(limit)} ${limitUnit(full.kind, frame.quota_window_seconds)}.`,
        (waiting > 0 ? `${plural(waiting, "call")} for this model wait for room.` : "The next calls wait for room.") + flows(),
      ];
    });
  }
  if (minute.throttled > 0) {
    add("throttled", "warn", () => [
      ` answered 429 to ${plural(minute.throttled, "call")} in the last minute.`,
      "Weir learns from each where the limit is, and sends the call again or elsewhere.",
    ]);
  }
  if (minute.unavailable > 0 && target.breaker === "closed") {
    add("unavailable", "warn", () => [
      ` answered 503 to ${plural(minute.unavailable, "call")} in the last minute.`,
      `Weir sends the calls again or elsewhere; the breaker is closed.${flows()}`,
    ]);
  }
  const tokens = target.max_tokens;
  if (tokens.usable_share < kIdleShare && tokens.enough > 0 && tokens.mean_asked > tokens.enough) {
    add("max_tokens", "note", () => [
      `: max_tokens leaves ${percent(tokens.usable_share)} of the token quota usable.`,
      `Callers ask for ${count(tokens.mean_asked)} tokens on average; ${count(tokens.enough)} are enough for their answers.`,
    ]);
  }
  return out;
}

export function troubles(frame: Frame, past: Past): Trouble[] {
  const out: Trouble[] = [];
  const accounts = severalAccounts(frame);
  for (const target of frame.status.targets) {
    out.push(...ofTarget(frame, past, target, accounts));
  }
  if (frame.store !== null && !frame.store.joined) {
    out.push({
      key: "store",
      severity: "bad",
      words: () => [
        "The shared store does not keep the books of every quota.",
        "This instance counts alone, within its part of the quota, until the store is back.",
      ],
      link: null,
    });
  }
  for (const order of frame.status.shedding ?? []) {
    out.push({
      key: `shedding/${order.priority}/${order.by}`,
      severity: "warn",
      words: () => [
        `Calls of class ${order.priority} and lower are refused by order of ${order.by === "operator" ? "an operator" : order.by}.`,
        `The order lasts ${duration(order.seconds_left)} more.${order.reason === "" ? "" : ` Reason: ${order.reason}.`}`,
      ],
      link: null,
    });
  }
  for (const order of frame.status.paused ?? []) {
    out.push({
      key: `paused/${order.client}/${order.by}`,
      severity: "warn",
      words: () => [
        `Client ${clientName(order.client)} is paused by order of ${order.by === "operator" ? "an operator" : order.by}.`,
        `Its calls are refused for ${duration(order.seconds_left)} more.${order.reason === "" ? "" : ` Reason: ${order.reason}.`}`,
      ],
      link: `#/client/${encodeURIComponent(order.client)}`,
    });
  }
  const refusals = past.refusalsMinute();
  if (refusals.length > 0) {
    const all = refusals.reduce((total, [, calls]) => total + calls, 0);
    out.push({
      key: "refusals",
      severity: "warn",
      words: () => [
        `Weir refused ${plural(all, "request")} in the last minute.`,
        `Reasons: ${refusals.map(([reason, calls]) => `${reason.replaceAll("_", " ")} ${count(calls)}`).join(", ")}.`,
      ],
      link: null,
    });
  }
  const covered = out.some((one) => one.key.startsWith("full/") || one.key.startsWith("breaker/"));
  if (frame.status.waiting_calls > 0 && !covered) {
    out.push({
      key: "waiting",
      severity: "note",
      words: () => [
        `${plural(frame.status.waiting_calls, "call")} ${frame.status.waiting_calls === 1 ? "waits" : "wait"}.`,
        "Each goes when its target has room, or gets a refusal before its deadline.",
      ],
      link: null,
    });
  }
  const restart = frame.status.configuration.needs_restart;
  if (restart.length > 0) {
    out.push({
      key: "restart",
      severity: "note",
      words: () => [
        `${plural(restart.length, "setting")} of the file ${restart.length === 1 ? "needs" : "need"} a restart: ${restart.join(", ")}.`,
        "Until then the old values are in force.",
      ],
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
