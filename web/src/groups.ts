// Targets added up: by account, Region or model.
import { linkOf } from "./detail";
import type { Target } from "./frame";
import { attemptKey, type Past, type TargetRates } from "./past";
import { Part } from "./slices";
import { Table } from "./table";
import { stateOf } from "./targets";
import { byName, count, perSecond, shortModel } from "./words";

export type Member = "account" | "region" | "model";

const kShown = 50;
const kHeads: Record<Member, string> = { account: "Account", region: "Region", model: "Model" };

export interface Sums extends TargetRates {
  targets: number;
  inFlight: number;
  bad: number;
  warn: number;
}

export function sumsOf(targets: readonly Target[], past: Past): Sums {
  const sums: Sums = { targets: 0, inFlight: 0, bad: 0, warn: 0, answered: 0, throttled: 0, unavailable: 0, failed: 0 };
  const counted = new Set<string>(); // the rates of a model's endpoints and tiers are one
  for (const target of targets) {
    sums.targets += 1;
    sums.inFlight += target.in_flight;
    const { severity } = stateOf(target);
    sums.bad += severity === "bad" ? 1 : 0;
    sums.warn += severity === "warn" ? 1 : 0;
    const key = attemptKey(target);
    if (counted.has(key)) {
      continue;
    }
    counted.add(key);
    const rates = past.targetRates(target);
    sums.answered += rates.answered;
    sums.throttled += rates.throttled;
    sums.unavailable += rates.unavailable;
    sums.failed += rates.failed;
  }
  return sums;
}

export function stateText(sums: Sums): string {
  if (sums.bad + sums.warn === 0) {
    return "all up";
  }
  return [...(sums.bad > 0 ? [`${count(sums.bad)} down`] : []), ...(sums.warn > 0 ? [`${count(sums.warn)} held or probing`] : [])].join(", ");
}

export class GroupTable {
  readonly node: HTMLElement;
  private table: Table;
  private targets: readonly Target[] = [];
  private part: Part;

  constructor(
    private member: Member,
    private past: Past,
  ) {
    this.table = new Table(`${kHeads[member]}s`, [kHeads[member], "Targets", "In flight", "Answered/s", "429/s", "503/s", "~State"], "None.");
    this.node = this.table.node;
    this.part = new Part(this.node, () => this.show());
  }

  update(targets: readonly Target[]): void {
    this.targets = targets;
    this.part.update();
  }

  close(): void {
    this.part.close();
  }

  private show(): void {
    const groups = new Map<string, Target[]>();
    for (const target of this.targets) {
      const name = target[this.member];
      const group = groups.get(name);
      if (group === undefined) {
        groups.set(name, [target]);
      } else {
        group.push(target);
      }
    }
    const rows = [...groups].map(([name, members]) => ({ name, sums: sumsOf(members, this.past) }));
    rows.sort((a, b) => b.sums.bad - a.sums.bad || b.sums.warn - a.sums.warn || byName(a.name, b.name));
    this.table.show(
      rows.slice(0, kShown).map(({ name, sums }) => ({
        key: name,
        link: linkOf(this.member, name),
        cells: [
          { text: this.member === "model" ? shortModel(name) : name },
          { text: count(sums.targets) },
          { text: count(sums.inFlight) },
          { text: perSecond(sums.answered) },
          { text: perSecond(sums.throttled), severity: sums.throttled > 0 ? "warn" : undefined },
          { text: perSecond(sums.unavailable), severity: sums.unavailable > 0 ? "warn" : undefined },
          { text: stateText(sums), severity: sums.bad > 0 ? "bad" : sums.warn > 0 ? "warn" : undefined },
        ],
      })),
    );
  }
}
