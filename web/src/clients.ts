// The clients: their class, share, waits and what they take of the quota.
import { el, setHidden, setText } from "./dom";
import type { BudgetStanding, Client, Frame } from "./frame";
import type { Past } from "./past";
import { Part } from "./slices";
import { Table } from "./table";
import { byName, clientName, count, dollars, percent, perSecond } from "./words";

const kShown = 30;

/** Names beyond the first 200 are counted together as "other", which nobody can look into or pause. */
export const isCountedTogether = (name: string, client: Client | undefined): boolean => name === "other" && client?.share === undefined;

/** The clients of a frame whose names fit, with the quota tokens of the last minute: of each, and of all together. */
interface Sorted {
  frame: Frame;
  rows: { client: Client; tokens: number }[];
  all: number;
}

export class ClientList {
  readonly node: HTMLElement;
  private table = new Table(
    "Clients",
    ["Client", "~Class", "Share", "Waiting", "Answered/s", "Refused/s", "Tokens/min", "Of all", "Held in vain", "Spent today"],
    "No client has called yet.",
  );
  private filter = el("input", { type: "search", id: "client-filter", autocomplete: "off", spellcheck: "false", input: () => this.filtered() });
  private note = el("p", { class: "soft" });
  private frame: Frame | null = null;
  private sorted: Sorted | null = null;
  private part: Part;

  constructor(private past: Past) {
    this.node = el(
      "div",
      {},
      el("p", { class: "filter" }, el("label", { for: "client-filter" }, "Name contains "), this.filter),
      this.table.node,
      this.note,
    );
    this.part = new Part(this.node, () => this.show());
  }

  /** Thousands of clients are not added up and sorted while nobody looks at them. */
  update(frame: Frame): void {
    this.frame = frame;
    this.part.update();
  }

  close(): void {
    this.part.close();
  }

  private filtered(): void {
    this.sorted = null;
    if (this.frame !== null) {
      this.part.update();
    }
  }

  /** Sorting thousands and drawing the first of them are two slices. */
  private show(): boolean {
    if (this.sorted === null) {
      this.sorted = this.sort();
      return false;
    }
    const { frame } = this.sorted;
    this.draw(this.sorted);
    this.sorted = null;
    return frame === this.frame;
  }

  private sort(): Sorted {
    const frame = this.frame!;
    const wanted = this.filter.value.trim().toLowerCase();
    const found = wanted === "" ? frame.clients : frame.clients.filter((client) => clientName(client.name).toLowerCase().includes(wanted));
    const rows = found.map((client) => ({ client, tokens: this.past.clientTokens(client.name) }));
    const all = rows.reduce((total, one) => total + one.tokens, 0);
    // Who waits comes first, then who takes the most.
    rows.sort(
      (a, b) => (b.client.waiting ?? 0) - (a.client.waiting ?? 0) || b.tokens - a.tokens || byName(a.client.name, b.client.name),
    );
    return { frame, rows, all };
  }

  private draw({ frame, rows, all }: Sorted): void {
    const paused = new Set((frame.status.paused ?? []).map((one) => one.client));
    const seconds = this.past.seconds();
    this.table.show(
      rows.slice(0, kShown).map(({ client, tokens }) => {
        const rates = this.past.clientRates(client.name);
        return {
          key: client.name,
          link: isCountedTogether(client.name, client) ? undefined : `#/client/${encodeURIComponent(client.name)}`,
          cells: [
            { text: clientName(client.name) },
            paused.has(client.name) ? { text: `${client.priority ? `${client.priority}, ` : ""}paused`, severity: "warn" } : { text: client.priority ?? "–" },
            { text: client.share === undefined ? "–" : String(client.share) },
            { text: count(client.waiting ?? 0), severity: (client.waiting ?? 0) > 0 ? "warn" : undefined },
            { text: perSecond(rates.answered) },
            { text: perSecond(rates.refused), severity: rates.refused > 0 ? "bad" : undefined },
            { text: seconds > 0 ? count((60 * tokens) / seconds) : "–" },
            { text: all > 0 ? percent(tokens / all) : "–" },
            { text: heldInVainShare(client) },
            { text: spentToday(client), severity: budgetSeverity(client) },
          ],
        };
      }),
    );
    setText(this.note, rows.length > kShown ? `${count(rows.length - kShown)} more: name a part of theirs to see them.` : "");
    setHidden(this.note, rows.length <= kShown);
  }
}

/** Of all tokens that were held for the client since weir's start. */
export function heldInVainShare(client: Client): string {
  const used = client.quota_tokens ?? 0;
  const unused = client.unused_tokens ?? 0;
  return used + unused > 0 ? percent(unused / (used + unused)) : "–";
}

function budgetSeverity(client: Client): "bad" | "warn" | undefined {
  switch (client.budget?.state) {
    case "spent":
      return "bad";
    case "warned":
      return "warn";
    default:
      return undefined;
  }
}

/** With the budget that is the nearer to its end. */
function spentToday(client: Client): string {
  const spent = client.spent_today_usd === undefined ? "–" : dollars(client.spent_today_usd);
  const { day, month } = client.budget ?? { day: null, month: null };
  const share = (one: BudgetStanding | null): number => (one === null ? -1 : one.spent_usd / one.usd);
  if (share(month) > share(day)) {
    return month === null ? spent : `${spent}; ${dollars(month.spent_usd)} of ${dollars(month.usd)} this month`;
  }
  return day === null ? spent : `${dollars(day.spent_usd)} of ${dollars(day.usd)}`;
}

/** "$3.20 of $20.00 spent, $0.0200 under way; renews 2026-12-01 00:00:00". */
export function budgetText(one: BudgetStanding): string {
  const underWay = one.under_way_usd > 0 ? `, ${dollars(one.under_way_usd)} under way` : "";
  return `${dollars(one.spent_usd)} of ${dollars(one.usd)} spent${underWay}; renews ${one.renews_at.replace("T", " ").replace(/(\.\d+)?Z$/, " UTC")}`;
}
