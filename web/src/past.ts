// The frames of the last minute, and what happened within it.
import type { Client, Counts, Flow, Frame, Target } from "./frame";

const kSpacing = 9_500; // ms between frames that are kept
const kLongest = 60_000;

const throttled = ["throttled_requests", "throttled_tokens", "throttled_daily"];
const unavailable = ["unavailable", "overloaded"];
const refused = ["throttled", "unavailable", "deadline", "drained"];

export const sum = (counts: Counts | undefined, names: readonly string[]): number =>
  names.reduce((total, name) => total + (counts?.[name] ?? 0), 0);

export interface TargetRates {
  answered: number;
  throttled: number;
  unavailable: number;
  failed: number;
}

const attemptKey = (one: { account: string; region: string; model: string }): string =>
  `${one.account}/${one.region}/${one.model}`;

export const flowKey = (flow: Flow): string =>
  `${flow.from_region}/${flow.from_model}>${flow.to_region}/${flow.to_model}`;

interface Kept {
  frame: Frame;
  attempts: Map<string, Counts>;
  clients: Map<string, Client>;
  flows: Map<string, number>;
}

const keep = (frame: Frame): Kept => ({
  frame,
  attempts: new Map(frame.counts.attempts.map((one) => [attemptKey(one), one.results])),
  clients: new Map(frame.clients.map((one) => [one.name, one])),
  flows: new Map(frame.counts.flows.map((one) => [flowKey(one), one.answers])),
});

export class Past {
  private kept: Kept[] = [];
  private latest: Kept | null = null;

  add(frame: Frame): void {
    const last = this.kept.at(-1);
    // After a restart all totals begin again; after a jump of the clock there is no minute to tell of.
    const restarted =
      this.latest !== null &&
      (frame.instance !== this.latest.frame.instance || frame.time_ms < this.latest.frame.time_ms);
    if (restarted) {
      this.kept = [];
    }
    this.latest = keep(frame);
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

  /** The same over the last ten seconds or so, a second. */
  private rate(read: (kept: Kept) => number): number {
    const latest = this.latest;
    const recent = this.kept.findLast((one) => latest!.frame.time_ms - one.frame.time_ms >= 4_000) ?? this.kept[0];
    if (!latest || !recent || recent === latest) {
      return 0;
    }
    const seconds = (latest.frame.time_ms - recent.frame.time_ms) / 1000;
    return seconds > 0 ? Math.max(0, read(latest) - read(recent)) / seconds : 0;
  }

  private readers(target: Target) {
    const key = attemptKey(target);
    const read = (names: readonly string[]) => (kept: Kept) => sum(kept.attempts.get(key), names);
    return {
      answered: read(["ok"]),
      throttled: read(throttled),
      unavailable: read(unavailable),
      failed: read(["server_error", "timeout", "network", "broken"]),
    };
  }

  targetRates(target: Target): TargetRates {
    const read = this.readers(target);
    return {
      answered: this.rate(read.answered),
      throttled: this.rate(read.throttled),
      unavailable: this.rate(read.unavailable),
      failed: this.rate(read.failed),
    };
  }

  targetMinute(target: Target): TargetRates {
    const read = this.readers(target);
    return {
      answered: this.added(read.answered),
      throttled: this.added(read.throttled),
      unavailable: this.added(read.unavailable),
      failed: this.added(read.failed),
    };
  }

  clientRates(name: string): { answered: number; refused: number; tokens: number } {
    const read = (value: (client: Client) => number) => (kept: Kept) => {
      const client = kept.clients.get(name);
      return client ? value(client) : 0;
    };
    return {
      answered: this.rate(read((one) => sum(one.outcomes, ["ok"]))),
      refused: this.rate(read((one) => sum(one.outcomes, refused))),
      tokens: this.added(read((one) => one.quota_tokens ?? 0)),
    };
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
