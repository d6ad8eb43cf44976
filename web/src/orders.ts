// What an operator can do from here: close, drain or open a target, pause a client for a time; reload.
import { el, setHidden, setText } from "./dom";
import type { Frame, Target } from "./frame";
import { post } from "./stream";
import { severalAccounts } from "./trouble";
import { clientName, count, duration, plural } from "./words";

const kTimes: [string, string][] = [
  ["5m", "5 minutes"],
  ["15m", "15 minutes"],
  ["1h", "1 hour"],
  ["8h", "8 hours"],
  ["24h", "1 day"],
];

interface Order {
  verb: "close" | "drain" | "open";
  label: string;
  title: string;
  effect: string;
}

const kOrders: Order[] = [
  { verb: "close", label: "Close", title: "Close", effect: "Weir sends nothing there. Calls that have no other target are refused." },
  { verb: "drain", label: "Drain", title: "Drain", effect: "Calls go to their other targets. Those that have none still go there." },
  { verb: "open", label: "Open", title: "Open", effect: "Takes back close and drain, and keeps the target in use for this time, whatever the breaker finds." },
];

// `required` takes blanks; weir logs those as no reason.
const reasonField = (): HTMLInputElement =>
  el("input", { id: "order-reason", required: true, pattern: ".*\\S.*", title: "Why the order is given, for the log", maxlength: "200", autocomplete: "off" });

function timeAndReason(): { fields: Node[]; time: HTMLSelectElement; reason: HTMLInputElement } {
  const time = el("select", { id: "order-time" }, ...kTimes.map(([value, words]) => el("option", { value, selected: value === "15m" }, words)));
  const reason = reasonField();
  return { fields: [el("label", { for: "order-time" }, "For"), time, el("label", { for: "order-reason" }, "Reason"), reason], time, reason };
}

/** A dialog that asks once and says what came of it. */
class Asking {
  readonly dialog = el("dialog", { "aria-labelledby": "asking-title" });
  private title = el("h2", { id: "asking-title" });
  private text = el("p", {});
  private more = el("div", {});
  private fields = el("div", { class: "fields" });
  private problem = el("p", { class: "problem", role: "alert", hidden: true });
  private go = el("button", { type: "submit", class: "primary" });
  private send: (() => Promise<string>) | null = null;

  constructor(private said: (text: string) => void) {
    const form = el(
      "form",
      {
        method: "dialog",
        submit: (event) => {
          event.preventDefault();
          void this.run();
        },
      },
      this.title,
      this.text,
      this.more,
      this.fields,
      this.problem,
      el("div", { class: "buttons" }, el("button", { type: "button", click: () => this.dialog.close() }, "Cancel"), this.go),
    );
    this.dialog.append(form);
  }

  ask(title: string, text: string, fields: Node[], send: () => Promise<string>, more: Node[] = []): void {
    setText(this.title, title);
    setText(this.text, text);
    this.more.replaceChildren(...more);
    setText(this.go, title.split(" ")[0]!);
    this.fields.replaceChildren(...fields);
    setHidden(this.problem, true);
    this.send = send;
    this.dialog.showModal();
  }

  private async run(): Promise<void> {
    this.go.disabled = true;
    try {
      const said = await this.send!();
      this.dialog.close();
      this.said(said);
    } catch (problem) {
      setText(this.problem, problem instanceof Error ? problem.message : String(problem));
      setHidden(this.problem, false);
    } finally {
      this.go.disabled = false;
    }
  }
}

/** The answer to an order for targets. */
interface Ordered {
  seconds: number | null;
  targets: unknown[];
  /** A wider order that applies again when this one is over. */
  afterwards?: { held: "closed" | "drain"; seconds: number } | null;
}

function afterwardsText({ seconds, afterwards }: Ordered, several: boolean): string {
  if (!afterwards || afterwards.seconds <= (seconds ?? 0)) {
    return "";
  }
  const left = duration(afterwards.seconds - (seconds ?? 0));
  return ` Afterwards a wider order ${afterwards.held === "closed" ? "closes" : "drains"} ${several ? "them" : "it"} again, for another ${left}.`;
}

/** An order knows account, Region and model alone: it is for every endpoint and tier there. */
function meantBy(target: Target, frame: Frame): Node[] {
  const meant = frame.status.targets.filter((one) => one.account === target.account && one.region === target.region && one.model === target.model);
  const where = `of this model in this Region${severalAccounts(frame) ? ` and account ${target.account}` : ""}`;
  return [
    el("p", {}, meant.length === 1 ? `The order is for the one target ${where}:` : `The order is for all ${count(meant.length)} targets ${where}, not for one of them alone:`),
    el("ul", { class: "meant" }, ...meant.map((one) => el("li", {}, `endpoint ${one.endpoint}, tier ${one.tier ?? "as in the call"}`))),
  ];
}

export class Orders {
  private asking: Asking;
  readonly dialog: HTMLElement;

  constructor(said: (text: string) => void) {
    this.asking = new Asking(said);
    this.dialog = this.asking.dialog;
  }

  buttons(target: () => Target | null, frame: () => Frame): HTMLElement {
    return el(
      "div",
      { class: "buttons" },
      ...kOrders.map((order) =>
        el("button", { type: "button", click: () => { const now = target(); if (now) this.order(order, now, frame()); } }, `${order.label} …`),
      ),
    );
  }

  /** Pause and resume; of these the one that fits is shown. */
  clientButtons(client: string): { node: HTMLElement; update(paused: boolean): void } {
    const pause = el("button", { type: "button", click: () => this.pause(client) }, "Pause …");
    const resume = el("button", { type: "button", click: () => this.resume(client) }, "Resume …");
    return {
      node: el("div", { class: "buttons" }, pause, resume),
      update(paused) {
        setHidden(pause, paused);
        setHidden(resume, !paused);
      },
    };
  }

  private pause(client: string): void {
    const { fields, time, reason } = timeAndReason();
    this.asking.ask(
      `Pause client ${clientName(client)}`,
      "Weir refuses its calls with 429, those that wait included. Calls under way are not touched. The order is logged with its reason, and is gone after a restart.",
      fields,
      async () => {
        await post("/clients/pause", { client, for: time.value, reason: reason.value.trim() });
        return `Client ${clientName(client)}: order given to pause it.`;
      },
    );
  }

  private resume(client: string): void {
    const reason = reasonField();
    this.asking.ask(
      `Resume client ${clientName(client)}`,
      "Weir takes its calls again at once. The order is logged with its reason.",
      [el("label", { for: "order-reason" }, "Reason"), reason],
      async () => {
        await post("/clients/resume", { client, reason: reason.value.trim() });
        return `Client ${clientName(client)}: order given to resume it.`;
      },
    );
  }

  private order(order: Order, target: Target, frame: Frame): void {
    const { fields, time, reason } = timeAndReason();
    this.asking.ask(
      `${order.title} ${target.region} · ${target.model}`,
      `${order.effect} The order is logged with its reason, and is gone after a restart.`,
      fields,
      async () => {
        const answer = (await post(`/targets/${order.verb}`, {
          account: target.account,
          region: target.region,
          model: target.model,
          for: time.value,
          reason: reason.value.trim(),
        })) as Ordered;
        const several = answer.targets.length > 1;
        return `Order given to ${order.verb} ${several ? `${plural(answer.targets.length, "target")} of ` : ""}${target.region} · ${target.model}.${afterwardsText(answer, several)}`;
      },
      meantBy(target, frame),
    );
  }

  reload(): void {
    this.asking.ask(
      "Reload the configuration",
      "Weir reads its file and its certificates again. Limiter levels, breakers and waiting calls are kept. A file with an error is refused as a whole.",
      [],
      async () => {
        const answer = (await post("/reload")) as { applied: string[]; needs_restart: string[] };
        const applied = answer.applied.length > 0 ? `changed: ${answer.applied.join(", ")}` : "nothing has changed";
        const restart = answer.needs_restart.length > 0 ? `; needs a restart: ${answer.needs_restart.join(", ")}` : "";
        return `Reloaded, ${applied}${restart}.`;
      },
    );
  }
}
