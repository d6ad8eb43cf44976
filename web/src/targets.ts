// The list of targets: state, quota bars, rates.
import { Bar } from "./bar";
import { el, Places, Rows, setAttribute, setClass, setHidden, setText, type Row } from "./dom";
import type { Frame, Limit, Target } from "./frame";
import { targetName } from "./frame";
import type { Past } from "./past";
import { Part } from "./slices";
import { heldInVain, heldWord, linkTo, rank, severalAccounts, tierAndEndpoint } from "./trouble";
import { count, latency, perSecond, shortModel } from "./words";

const kShown = 30; // rows until more are asked for

export interface State {
  word: string;
  severity: "good" | "warn" | "bad";
}

export function stateOf(target: Target): State {
  if (target.held) {
    return { word: heldWord(target.held.state), severity: target.held.state === "open" ? "good" : "warn" };
  }
  if (target.misconfigured) {
    return { word: "misconfigured", severity: "bad" };
  }
  if (target.daily_closed) {
    return { word: "day used up", severity: "bad" };
  }
  if (target.unused) {
    return { word: "not used yet", severity: "good" };
  }
  switch (target.breaker) {
    case "open":
      return { word: "down", severity: "bad" };
    case "half-open":
      return { word: "probing", severity: "warn" };
    default:
      return { word: "up", severity: "good" };
  }
}

class TargetRow implements Row<Target> {
  readonly node: HTMLElement;
  private link = el("a", {});
  private state = el("span", {});
  private model = el("span", { class: "model" });
  private name = "";
  private bars: Rows<Limit>;
  private figures: HTMLElement[];
  private facts = ["in flight", "answered/s", "429/s", "503/s", "mean time"].map((name) => {
    const value = el("dd", {});
    return { value, node: el("div", {}, el("dt", {}, name), value) };
  });

  private part: Part;

  constructor(
    private list: TargetList,
    private target: Target,
  ) {
    const bars = el("div", { class: "bars" });
    const facts = el("dl", { class: "facts" }, ...this.facts.map((one) => one.node));
    this.bars = new Rows(
      bars,
      (limit) => limit.kind,
      () => {
        const bar = new Bar();
        return {
          node: bar.node,
          update: (limit) => bar.update(limit, this.list.frame!.quota_window_seconds, heldInVain(this.target, limit)),
        };
      },
    );
    this.node = el(
      "li",
      { class: "target" },
      el("div", { class: "target-name" }, this.state, this.link, this.model),
      bars,
      facts,
    );
    this.figures = [bars, facts];
    this.part = new Part(this.node, () => this.draw(), () => this.drawDistant());
    this.part.now();
  }

  update(target: Target): void {
    if (target !== this.target) {
      this.target = target;
      this.part.update();
    }
  }

  now(): void {
    this.part.now();
  }

  close(): void {
    this.part.close();
  }

  /** Out of sight: for who goes through the links. Figures of another target are no longer true. */
  private drawDistant(): void {
    if (this.name !== targetName(this.target)) {
      this.drawName();
      this.figures.forEach((node) => node.classList.add("former"));
    }
  }

  private drawName(): void {
    const { target } = this;
    const { account, region } = target;
    const name = targetName(target);
    if (this.name !== name) {
      this.name = name;
      setText(this.model, shortModel(target.model));
      setAttribute(this.link, "href", linkTo(target));
      setAttribute(this.link, "title", name);
      setAttribute(this.node, "data-target", name);
    }
    const more = tierAndEndpoint(target);
    const text = [...(this.list.accounts ? [account] : []), region, ...more].join(" · ");
    setText(this.link, text);
    // What is seen has to be part of what is said: the name has tier and endpoint in another place.
    setAttribute(this.link, "aria-label", more.length > 0 ? `${text}: ${name}` : name);
    const state = stateOf(target);
    setText(this.state, state.word);
    setClass(this.state, `state ${state.severity}`);
    setClass(this.node, `target ${state.severity}`);
  }

  private draw(): void {
    const { target } = this;
    const { past } = this.list;
    this.drawName();
    // Requests in flight have a fact of their own; an unlimited kind says nothing here.
    this.bars.show(target.limits.filter((limit) => limit.limit !== null || limit.used > 0));
    const rates = past.targetRates(target);
    const values = [
      count(target.in_flight),
      perSecond(rates.answered),
      perSecond(rates.throttled),
      perSecond(rates.unavailable),
      target.mean_service_seconds > 0 ? latency(target.mean_service_seconds) : "–",
    ];
    this.facts.forEach((fact, i) => setText(fact.value, values[i]!));
    setClass(this.facts[2]!.node, rates.throttled > 0 ? "warn" : "");
    setClass(this.facts[3]!.node, rates.unavailable > 0 ? "warn" : "");
    this.figures.forEach((node) => node.classList.remove("former"));
  }
}

export class TargetList {
  readonly node: HTMLElement;
  frame: Frame | null = null;
  accounts = false;
  private targets: readonly Target[] = [];
  private rows: Places<Target>;
  private part: Part;
  private more = el("button", { type: "button", class: "more", click: () => this.showMore() });
  private shown = kShown;
  private none = el("p", { class: "empty" }, "No route names a target, and none has been used yet. A target appears with its first call.");

  constructor(readonly past: Past) {
    const list = el("ul", { class: "targets" });
    this.rows = new Places(list, targetName, (target) => new TargetRow(this, target));
    this.node = el(
      "div",
      {},
      el(
        "p",
        { class: "bar-key", "aria-hidden": "true" },
        ...[
          ["settled", "used"],
          ["held", "held for calls under way"],
          ["vain", "held in vain by max_tokens"],
          ["instances", "other instances"],
          ["foreign", "other programs"],
        ].map(([name, words]) => el("span", {}, el("i", { class: `part ${name}` }), words!)),
      ),
      this.none,
      list,
      this.more,
    );
    this.part = new Part(this.node, () => this.order());
  }

  update(frame: Frame, targets: readonly Target[]): void {
    this.frame = frame;
    this.targets = targets;
    this.part.update();
  }

  close(): void {
    this.part.close();
    this.rows.close();
  }

  /** Gives each row its target; it is then drawn by itself. */
  private order(): boolean {
    this.accounts = severalAccounts(this.frame!);
    const ranked = this.targets.map((target, place) => ({ target, place, rank: rank(target, this.past) }));
    ranked.sort((a, b) => b.rank - a.rank || a.place - b.place);
    const complete = this.rows.showSome(ranked.slice(0, this.shown).map((one) => one.target));
    const left = ranked.length - this.shown;
    setHidden(this.more, left <= 0);
    setText(this.more, `Show ${count(Math.max(0, left))} more targets`);
    setHidden(this.none, ranked.length > 0);
    return complete;
  }

  private showMore(): void {
    this.shown = Infinity;
    this.part.update();
  }
}
