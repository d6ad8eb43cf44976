// The frames of the last minute, and what happened within it.
import type { Client, Counts, Flow, Frame, Target } from "./frame";
import { modelLabel } from "./frame";

const kSpacing = 9_500; // ms between frames that are kept
const kLongest = 60_000;

const answered = ["ok"];
const throttled = ["throttled_requests", "throttled_tokens", "throttled_daily"];
const unavailable = ["unavailable", "overloaded"];
const failed = ["server_error", "timeout", "network", "broken"];
const refused = ["throttled", "unavailable", "deadline", "drained"];

export const sum = (counts: Counts | undefined, names: readonly string[]): number =>
  names.reduce((total, name) => total + (counts?.[name] ?? 0), 0);

export interface TargetRates {
  answered: number;
  throttled: number;
  unavailable: number;
  failed: number;
}

/** Of a target and of its attempts alike. */
export const attemptKey = (one: Pick<Target, "account" | "region" | "model" | "model_label">): string =>
  `${one.account}/${one.region}/${modelLabel(one)}`;

export const flowKey = (flow: Flow): string =>
  `${flow.from_region}/${flow.from_model}>${flow.to_region}/${flow.to_model}`;

/** A frame, and what is looked up in it. Most frames are never asked for their clients, of which there may be thousands. */
class Kept {
  readonly attempts: Map<string, Counts>;
  readonly flows: Map<string, number>;
  private byName: Map<string, Client> | null = null;

  constructor(readonly frame: Frame) {
    this.attempts = new Map(frame.counts.attempts.map((one) => [attemptKey(one), one.results]));
    this.flows = new Map(frame.counts.flows.map((one) => [flowKey(one), one.answers]));
  }

  client(name: string): Client | undefined {
    this.byName ??= new Map(this.frame.clients.map((one) => [one.name, one]));
    return this.byName.get(name);
  }
}

/** What was added from one count to another, divided by `by`; nothing if there was no time between them. */
const growth = (now: Counts | undefined, then: Counts | undefined, names: readonly string[], by: number): number =>
  by > 0 ? Math.max(0, sum(now, names) - sum(then, names)) / by : 0;

const ratesOf = (now: Counts | undefined, then: Counts | undefined, by: number): TargetRates => ({
  answered: growth(now, then, answered, by),
  throttled: growth(now, then, throttled, by),
  unavailable: growth(now, then, unavailable, by),
  failed: growth(now, then, failed, by),
});

export class Past {
  private kept: Kept[] = [];
  private latest: Kept | null = null;
  /** Of the latest frame: several parts of the page ask for the same. */
  private targets = new Map<string, { second: TargetRates; minute: TargetRates }>();

  add(frame: Frame): void {
    const last = this.kept.at(-1);
    // After a restart all totals begin again; after a jump of the clock there is no minute to tell of.
    const restarted =
      this.latest !== null &&
      (frame.instance !== this.latest.frame.instance || frame.time_ms < this.latest.frame.time_ms);
    if (restarted) {
      this.kept = [];
    }
    this.latest = new Kept(frame);
    this.targets.clear();
    if (restarted || last === undefined || frame.time_ms - last.frame.time_ms >= kSpacing) {
      this.kept.push(this.latest);
    }
    while (this.kept.length > 1 && frame.time_ms - this.kept[0]!.frame.time_ms > kLongest) {
      this.kept.shift();
    }
  }

  /** Seconds that minute() and perSecond() speak of, 60 after the first minute. */
  seconds(): number {
    const first = this.kept[0];
    return first && this.latest ? (this.latest.frame.time_ms - first.frame.time_ms) / 1000 : 0;
  }

  /** What was added within those seconds. */
  private added(read: (kept: Kept) => number): number {
    const first = this.kept[0];
    return first && this.latest ? Math.max(0, read(this.latest) - read(first)) : 0;
  }

  /** The frame of some ten seconds ago, with which rates are made, and the seconds since then. */
  private recent(): { then: Kept | undefined; seconds: number } {
    const now = this.latest?.frame.time_ms ?? 0;
    const then = this.kept.findLast((one) => now - one.frame.time_ms >= 4_000) ?? this.kept[0];
    return { then, seconds: then === undefined ? 0 : (now - then.frame.time_ms) / 1000 };
  }

  private ofTarget(target: Target): { second: TargetRates; minute: TargetRates } {
    const key = attemptKey(target);
    let known = this.targets.get(key);
    if (known === undefined) {
      const { then, seconds } = this.recent();
      const now = this.latest?.attempts.get(key);
      known = { second: ratesOf(now, then?.attempts.get(key), seconds), minute: ratesOf(now, this.kept[0]?.attempts.get(key), 1) };
      this.targets.set(key, known);
    }
    return known;
  }

  targetRates(target: Target): TargetRates {
    return this.ofTarget(target).second;
  }

  targetMinute(target: Target): TargetRates {
    return this.ofTarget(target).minute;
  }

  clientRates(name: string): { answered: number; refused: number } {
    const { then, seconds } = this.recent();
    const now = this.latest?.client(name)?.outcomes;
    const before = then?.client(name)?.outcomes;
    return { answered: growth(now, before, answered, seconds), refused: growth(now, before, refused, seconds) };
  }

  /** Quota tokens of the last minute. */
  clientTokens(name: string): number {
    return this.added((kept) => kept.client(name)?.quota_tokens ?? 0);
  }

  flowMinute(flow: Flow): number {
    const key = flowKey(flow);
    return this.added((kept) => kept.flows.get(key) ?? 0);
  }

  outcomesMinute(names: readonly string[]): number {
    return this.added((kept) => sum(kept.frame.counts.outcomes, names));
  }

  rescuedMinute(): number {
    return this.added((kept) => kept.frame.counts.rescued);
  }

  /** By reason, those that were added. */
  refusalsMinute(): [string, number][] {
    const reasons = Object.keys(this.latest?.frame.counts.refusals ?? {});
    return reasons
      .map((reason): [string, number] => [reason, this.added((kept) => kept.frame.counts.refusals[reason] ?? 0)])
      .filter(([, calls]) => calls > 0)
      .sort((a, b) => b[1] - a[1]);
  }
}
