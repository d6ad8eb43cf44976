// Recent requests, of which each leads to its explanation, and the explanation of one.
import { linkOf, type View } from "./detail";
import { el, Rows, setAttribute, setClass, setHidden, setText } from "./dom";
import type { Brief, Explanation, Recent } from "./frame";
import { explanation, recent, Refused } from "./stream";
import { Part } from "./slices";
import { Table, type Cell } from "./table";
import { clientName, clock, count, dateAndClock, latency, shortModel } from "./words";

const kEvery = 5_000;
const kUnderWayEvery = 2_000;

const kWhich: [string, string][] = [
  ["", "that waited, failed, were refused or went elsewhere"],
  ["under_way", "that are under way"],
  ["all", "of all kinds"],
];

const time = (ms: number | null): string => (ms === null ? "–" : latency(ms / 1000));

/** Why one that was answered is listed. `eventful`: in a list of those to which something happened. */
function happened(one: Brief, eventful: boolean): string {
  const what = [...((one.queued_ms ?? 0) > 0 ? ["waited"] : []), ...(one.attempts > 1 ? [`${count(one.attempts)} attempts`] : [])];
  // Weir lists it for one of these, and does not say which was its first target.
  return what.length === 0 && eventful ? "by another target than the first" : what.join(", ");
}

function outcomeOf(one: Brief, eventful: boolean): Cell {
  if (one.outcome === null) {
    return { text: "under way" };
  }
  const words = one.outcome.replaceAll("_", " ");
  const more = one.outcome === "ok" ? happened(one, eventful) : (one.reason ?? one.error);
  return {
    text: more ? `${words}: ${more.replaceAll("_", " ")}` : words,
    severity: one.outcome === "ok" ? undefined : one.outcome === "client_error" || one.outcome === "cancelled" ? "warn" : "bad",
  };
}

/** What every while asks the admin port again, until it is closed. */
class Polled {
  private timer = 0;
  private closed = false;

  /** `work` says when it is to be done again; 0: no more. */
  constructor(private work: () => Promise<number>) {
    void this.run();
  }

  now(): void {
    window.clearTimeout(this.timer);
    void this.run();
  }

  private async run(): Promise<void> {
    const again = await this.work();
    window.clearTimeout(this.timer);
    if (!this.closed && again > 0) {
      this.timer = window.setTimeout(() => void this.run(), again);
    }
  }

  close(): void {
    this.closed = true;
    window.clearTimeout(this.timer);
  }
}

export class RequestList {
  readonly node: HTMLElement;
  private which = el("select", { id: "request-kind", change: () => this.polled.now() }, ...kWhich.map(([value, words]) => el("option", { value }, words)));
  private table = new Table(
    "Recent requests",
    ["Request", "~Time", "~Client", "~Model", "~Target", "~Outcome", "Attempts", "In the queue", "In all"],
    "None is kept.",
  );
  private note = el("p", { class: "soft", hidden: true });
  private found: { recent: Recent; outcome: string } | null = null;
  private part: Part;
  private polled: Polled;

  /** `query`: client, account, region, model; empty: of the whole instance. */
  constructor(private query: Record<string, string>) {
    this.node = el(
      "section",
      { class: "requests apart" },
      el("h2", {}, "Recent requests"),
      el("p", { class: "filter" }, el("label", { for: "request-kind" }, "Requests "), this.which),
      this.table.node,
      this.note,
    );
    this.part = new Part(this.node, () => this.show(this.found!.recent, this.found!.outcome === ""));
    this.polled = new Polled(() => this.refresh());
  }

  private async refresh(): Promise<number> {
    const outcome = this.which.value;
    try {
      const answer = await recent({ ...this.query, limit: "50", ...(outcome === "" ? {} : { outcome }) });
      if (outcome !== this.which.value) {
        return kEvery; // the answer to an older question
      }
      this.found = { recent: answer, outcome };
      this.part.update();
    } catch (problem) {
      if (problem instanceof Refused && problem.status !== 401) {
        setText(this.note, problem.message);
        setHidden(this.note, false);
      } // else the line about the connection says what is wrong
    }
    return kEvery;
  }

  private show(found: Recent, eventful: boolean): boolean {
    const complete = this.table.showSome(
      found.requests.map((one) => ({
        key: one.id,
        link: linkOf("request", one.id),
        cells: [
          { text: one.id.slice(0, 10) },
          { text: clock(one.arrived_unix_ms) },
          { text: clientName(one.client) },
          { text: one.model === null ? "–" : shortModel(one.model) },
          { text: one.target_region === null ? "not sent" : one.target_region },
          outcomeOf(one, eventful),
          { text: count(one.attempts) },
          { text: time(one.queued_ms) },
          { text: time(one.total_ms) },
        ],
      })),
    );
    setText(this.note, `Of the newest ${count(found.looked_at)} that weir keeps; there are older ones.`);
    setHidden(this.note, found.complete || found.requests.length >= 50);
    return complete;
  }

  close(): void {
    this.part.close();
    this.polled.close();
  }
}

/** For who has the id of an answer. */
export function idForm(): HTMLElement {
  const id = el("input", { id: "request-id", autocomplete: "off", spellcheck: "false", required: true, maxlength: "128" });
  return el(
    "form",
    {
      class: "filter",
      submit: (event) => {
        event.preventDefault();
        location.hash = linkOf("request", id.value.trim());
      },
    },
    el("label", { for: "request-id" }, "x-weir-request-id or x-amzn-RequestId "),
    id,
    " ",
    el("button", { type: "submit" }, "Explain"),
  );
}

const list = (): { node: HTMLElement; show(texts: string[]): void } => {
  const node = el("ul", { class: "sentences" });
  const rows = new Rows<[number, string]>(
    node,
    ([i]) => String(i),
    () => {
      const item = el("li", {});
      return { node: item, update: ([, text]) => setText(item, text) };
    },
  );
  return { node, show: (texts) => rows.show(texts.map((text, i): [number, string] => [i, text])) };
};

export class RequestView implements View {
  readonly node: HTMLElement;
  private path = el("p", { class: "path" });
  private state = el("span", { class: "state" });
  private problem = el("p", { class: "empty", role: "status", hidden: true });
  private sentences = list();
  private fasterTitle = el("h2", {}, "What would have been faster");
  private faster = list();
  private steps = new Table("Steps", ["Step", "~From", "~To", "~Where", "~What"], "Nothing has happened yet.");
  private polled: Polled;

  constructor(private id: string) {
    this.node = el(
      "div",
      {},
      this.path,
      this.problem,
      this.state,
      this.sentences.node,
      this.fasterTitle,
      this.faster.node,
      el("h2", {}, "Steps"),
      this.steps.node,
    );
    this.polled = new Polled(() => this.refresh());
  }

  update(): void {}
  span(): void {}

  private async refresh(): Promise<number> {
    try {
      const told = await explanation(this.id);
      setHidden(this.problem, true);
      this.show(told);
      return told.state === "ended" ? 0 : kUnderWayEvery;
    } catch (problem) {
      const refused = problem instanceof Refused;
      setText(this.problem, refused ? problem.message : "Weir does not answer.");
      setHidden(this.problem, false);
      return refused && problem.status !== 401 ? 0 : kEvery;
    }
  }

  private show(told: Explanation): void {
    const { request, answer, times } = told;
    if (this.path.childElementCount === 0) {
      const last = told.steps.findLast((one) => one.step === "attempt");
      const links = [
        ...(last?.region ? [el("a", { href: linkOf("account", last.account ?? "default") }, `Account ${last.account ?? "default"}`), el("a", { href: linkOf("region", last.region) }, last.region)] : []),
        ...(request.model ? [el("a", { href: linkOf("model", request.model) }, request.model)] : []),
        el("a", { href: linkOf("client", request.client ?? "none") }, `Client ${clientName(request.client)}`),
      ];
      this.path.append(...links.flatMap((link, i) => (i === 0 ? [link] : [" / ", link])));
    }
    const good = answer.outcome === "ok";
    setText(
      this.state,
      told.state === "ended"
        ? `${(answer.outcome ?? "ended").replaceAll("_", " ")}${answer.status === null ? "" : `, status ${answer.status}`}, ${dateAndClock(request.arrived_unix_ms)}, ${time(times.total_ms)} in all, ${time(times.queued_ms)} in the queue`
        : told.state.replaceAll("_", " "),
    );
    setClass(this.state, `state ${told.state !== "ended" || good ? "good" : "bad"}`);
    this.sentences.show(told.sentences);
    this.faster.show(told.faster.map((one) => one.text));
    setHidden(this.fasterTitle, told.faster.length === 0);
    this.steps.show(
      told.steps.map((one, i) => ({
        key: String(i),
        cells: [
          { text: one.step },
          { text: time(one.from_ms) },
          { text: one.step === "refusal" ? "" : one.to_ms == null ? "still" : time(one.to_ms) },
          { text: [one.region, one.model === null ? null : shortModel(one.model)].filter((part) => part !== null).join(" · ") || "–" },
          { text: (one.result ?? one.because ?? one.choice ?? "").replaceAll("_", " ") },
        ],
      })),
    );
    setAttribute(this.node, "data-state", told.state);
  }

  close(): void {
    this.polled.close();
  }
}
