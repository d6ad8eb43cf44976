// One limit as a bar: what is used, what is held, what others use, and the figures beside it.
import { el, setAttribute, setClass, setHidden, setText } from "./dom";
import type { Limit } from "./frame";
import { count, duration, limitUnit, percent } from "./words";

export class Bar {
  readonly node: HTMLElement;
  private text = el("span", { class: "bar-text" });
  private note = el("span", { class: "bar-note" });
  // Its background has a layer for each part, the first one on top: elements would cost style and layout at each change.
  private track = el("div", { class: "track", role: "img" });
  private ends = "";

  constructor() {
    this.node = el("div", { class: "bar" }, this.track, el("div", { class: "bar-words" }, this.text, this.note));
  }

  update(limit: Limit, windowSeconds: number, vain: number): void {
    const unit = limitUnit(limit.kind, windowSeconds);
    const instances = limit.by_instances ?? 0;
    const foreign = limit.foreign ?? 0;
    const settled = Math.max(0, limit.used - limit.reserved - instances);
    const held = Math.max(0, limit.reserved - vain);
    // A limit that is not known yet has no end: the bar shows its parts only.
    const end = Math.max(limit.limit ?? 0, limit.used + foreign, 1);
    const known = limit.limit !== null;
    let sum = 0;
    const sizes = [settled, held, vain, instances, foreign].map((value) => {
      sum += value;
      return `${Math.min(100, (100 * sum) / end).toFixed(1)}% 100%`;
    });
    const ends = known ? sizes.join() : "";
    if (this.ends !== ends) {
      this.ends = ends;
      this.track.style.backgroundSize = ends;
    }
    const share = known ? limit.used / limit.limit! : 0;
    setClass(this.track, `track${known ? "" : " open"}${share >= 0.95 ? " full" : ""}`);
    const text = known ? `${count(limit.used)} of ${count(limit.limit!)} ${unit} · ${percent(share)}` : `${count(limit.used)} ${unit}, limit not known yet`;
    setText(this.text, text);
    const notes: string[] = [];
    if (limit.reserved > 0 && limit.kind !== "in_flight") {
      notes.push(`${count(limit.reserved)} held${vain > 0 ? `, ${count(vain)} of it in vain` : ""}`);
    }
    if (instances > 0) {
      notes.push(`${count(instances)} by other instances`);
    }
    if (foreign > 0) {
      notes.push(`about ${count(foreign)} by other programs`);
    }
    if (limit.learned) {
      const ago = limit.confirmed_seconds_ago;
      notes.push(`limit learned${ago == null ? "" : `, last confirmed by a 429 ${duration(ago)} ago`}`);
    }
    setText(this.note, notes.join(" · "));
    setHidden(this.note, notes.length === 0);
    setAttribute(this.track, "aria-label", [text, ...notes].join(", "));
  }
}
