// One target, client, model, Region, account or request: the way down.
import { Bar } from "./bar";
import { Charts, kClient, kModel, kTarget } from "./charts";
import { el, Rows, setClass, setHidden, setText } from "./dom";
import type { Budget, Frame, Limit, Quantiles, Target } from "./frame";
import { modelLabel, targetName } from "./frame";
import { GroupTable, stateText, sumsOf, type Member } from "./groups";
import type { Orders } from "./orders";
import type { Past } from "./past";
import { budgetText, heldInVainShare, isCountedTogether } from "./clients";
import { RequestList, RequestView } from "./requests";
import { stateOf, TargetList } from "./targets";
import { heldInVain } from "./trouble";
import { count, dollars, duration, percent, perSecond, latency } from "./words";

export interface Route {
  kind: string;
  name: string;
}

export function routeOf(hash: string): Route | null {
  const parts = /^#\/(target|client|model|region|account|request)\/(.+)$/.exec(hash);
  if (parts === null) {
    return null;
  }
  try {
    return { kind: parts[1]!, name: decodeURIComponent(parts[2]!) };
  } catch {
    return null;
  }
}

export const linkOf = (kind: string, name: string): string => `#/${kind}/${encodeURIComponent(name)}`;

export interface View {
  node: HTMLElement;
  update(frame: Frame): void;
  span(span: string): void;
  close(): void;
}

class Facts {
  readonly node = el("dl", { class: "table-facts" });
  private rows = new Rows<[string, string]>(
    this.node,
    ([name]) => name,
    ([name]) => {
      const value = el("dd", {});
      return { node: el("div", {}, el("dt", {}, name), value), update: ([, text]) => setText(value, text) };
    },
  );

  show(facts: [string, string][]): void {
    this.rows.show(facts);
  }
}

const bars = (node: HTMLElement, frame: () => Frame, vain: (limit: Limit) => number): Rows<Limit> =>
  new Rows(
    node,
    (limit) => limit.kind,
    () => {
      const bar = new Bar();
      return { node: bar.node, update: (limit) => bar.update(limit, frame().quota_window_seconds, vain(limit)) };
    },
  );

class TargetView implements View {
  readonly node: HTMLElement;
  private facts = new Facts();
  private state = el("span", {});
  private gone = el("p", { class: "empty" }, "Weir has no such target now. It appears with its next call.");
  private path = el("p", { class: "path" });
  private limits: Rows<Limit>;
  private charts: Charts;
  private frame: Frame | null = null;
  private target: Target | null = null;
  private actions: HTMLElement;
  private requests: RequestList;

  constructor(
    private name: string,
    private past: Past,
    orders: Orders,
    span: string,
  ) {
    const list = el("div", { class: "bars wide" });
    this.limits = bars(list, () => this.frame!, (limit) => heldInVain(this.target!, limit));
    this.charts = new Charts("target", name, kTarget, span);
    this.actions = orders.buttons(() => this.target, () => this.frame!);
    this.requests = new RequestList(partsOf(name));
    this.node = el("div", {}, this.path, this.gone, this.state, list, this.actions, this.facts.node, this.charts.node, this.requests.node);
  }

  update(frame: Frame): void {
    this.frame = frame;
    const target = frame.status.targets.find((one) => targetName(one) === this.name) ?? null;
    this.target = target;
    setHidden(this.gone, target !== null);
    setHidden(this.actions, target === null);
    if (target === null) {
      return;
    }
    if (this.path.childElementCount === 0) {
      this.path.append(
        el("a", { href: linkOf("account", target.account) }, `Account ${target.account}`), " / ",
        el("a", { href: linkOf("region", target.region) }, target.region), " / ",
        el("a", { href: linkOf("model", target.model) }, target.model),
      );
    }
    const state = stateOf(target);
    setText(this.state, state.word);
    setClass(this.state, `state ${state.severity}`);
    this.limits.show(target.limits);
    const rates = this.past.targetRates(target);
    const tokens = target.max_tokens;
    const facts: [string, string][] = [
      ["Breaker", target.breaker + (target.breaker === "open" && target.breaker_seconds_left ? `, tried again in ${duration(target.breaker_seconds_left)}` : "")],
      ["Calls in flight", count(target.in_flight)],
      ["Answered", `${perSecond(rates.answered)} a second`],
      ["429", `${perSecond(rates.throttled)} a second`],
      ["503 and overload", `${perSecond(rates.unavailable)} a second`],
      ["Other failures", `${perSecond(rates.failed)} a second`],
      ...latencyFacts(frame, modelLabel(target)),
      ["Mean time of an answer", target.mean_service_seconds > 0 ? latency(target.mean_service_seconds) : "not known yet"],
      ["max_tokens that callers ask for", tokens.mean_asked > 0 ? `${count(tokens.mean_asked)} on average${tokens.enough > 0 ? `; ${count(tokens.enough)} are enough` : ""}` : "not known yet"],
      ["Usable part of the token quota", percent(tokens.usable_share)],
      ["Calls with a lowered max_tokens", `${count(tokens.right_sized)}, of which ${count(tokens.truncated)} were cut and repeated`],
    ];
    for (const limit of target.limits) {
      if (limit.learned) {
        facts.push([
          `Learned limit, ${limit.kind.replaceAll("_", " ")}`,
          `${count(limit.limit ?? 0)}; the service has accepted ${count(limit.accepted_peak ?? 0)} in one window of the last 60` +
            (limit.confirmed_seconds_ago == null ? "" : `; a 429 confirmed it ${duration(limit.confirmed_seconds_ago)} ago`),
        ]);
      }
    }
    if (target.held) {
      facts.unshift(["Order", `${target.held.state} by ${target.held.by}, ${duration(target.held.seconds_left)} left${target.held.reason ? `: ${target.held.reason}` : ""}`]);
    }
    this.facts.show(facts);
  }

  span(span: string): void {
    this.charts.show(span);
  }

  close(): void {
    this.charts.close();
    this.requests.close();
  }
}

class ClientView implements View {
  readonly node: HTMLElement;
  private facts = new Facts();
  private charts: Charts;
  private limits: Rows<Limit>;
  private frame: Frame | null = null;
  private state = el("span", {});
  private together = el("p", { class: "empty", hidden: true }, "Clients beyond the first 200 names are counted together here. Their calls are among the recent requests under their own names.");
  private actions: { node: HTMLElement; update(paused: boolean): void };
  private requests: RequestList;

  constructor(
    private name: string,
    private past: Past,
    orders: Orders,
    span: string,
  ) {
    const list = el("div", { class: "bars wide" });
    this.limits = bars(list, () => this.frame!, () => 0);
    this.charts = new Charts("client", name, kClient, span);
    this.actions = orders.clientButtons(name);
    this.requests = new RequestList({ client: name });
    this.node = el("div", {}, this.state, this.together, list, this.actions.node, this.facts.node, this.charts.node, this.requests.node);
  }

  update(frame: Frame): void {
    this.frame = frame;
    const client = frame.clients.find((one) => one.name === this.name);
    const paused = (frame.status.paused ?? []).filter((one) => one.client === this.name);
    const together = isCountedTogether(this.name, client);
    setHidden(this.together, !together);
    setHidden(this.state, together);
    setHidden(this.actions.node, together);
    setHidden(this.requests.node, together);
    this.actions.update(paused.length > 0);
    setText(this.state, paused.length > 0 ? "paused" : "served");
    setClass(this.state, `state ${paused.length > 0 ? "warn" : "good"}`);
    this.limits.show(client?.limits ?? []);
    const rates = this.past.clientRates(this.name);
    const outcomes = Object.entries(client?.outcomes ?? {}).filter(([, calls]) => calls > 0);
    this.facts.show([
      ...paused.map((one): [string, string] => ["Order", `paused by ${one.by}, ${duration(one.seconds_left)} left${one.reason ? `: ${one.reason}` : ""}`]),
      ["Class", client?.priority ?? "not configured"],
      ["Share", client?.share === undefined ? "not configured" : String(client.share)],
      ["Waiting calls", count(client?.waiting ?? 0)],
      ["Answered", `${perSecond(rates.answered)} a second`],
      ["Refused", `${perSecond(rates.refused)} a second`],
      ["Quota tokens since weir's start", count(client?.quota_tokens ?? 0)],
      ["Held in vain by max_tokens since then", `${count(client?.unused_tokens ?? 0)} tokens${client ? `, ${heldInVainShare(client)} of what was held` : ""}`],
      ["Spent today, as far as prices are known", client?.spent_today_usd === undefined ? "–" : dollars(client.spent_today_usd)],
      ...budgetFacts(client?.budget),
      ["Requests since then", outcomes.length > 0 ? outcomes.map(([name, calls]) => `${name.replaceAll("_", " ")} ${count(calls)}`).join(", ") : "none"],
    ]);
  }

  span(span: string): void {
    this.charts.show(span);
  }

  close(): void {
    this.charts.close();
  }
}

function budgetFacts(budget: Budget | undefined): [string, string][] {
  const facts: [string, string][] = [];
  if (budget?.day) {
    facts.push(["Budget of the day", budgetText(budget.day)]);
  }
  if (budget?.month) {
    facts.push(["Budget of the month", budgetText(budget.month)]);
  }
  if (budget?.state === "spent") {
    const then: Record<string, string> = { warn: "its calls go on", lower: "its calls go on in the class batch", refuse: "its calls are refused" };
    facts.push(["Budget spent", then[budget.then] ?? budget.then]);
  }
  return facts;
}

/** Targets that have something in common; of a model its latencies too. */
class GroupView implements View {
  readonly node: HTMLElement;
  private facts = new Facts();
  private list: TargetList;
  private charts: Charts | null = null;
  private chartsPlace = el("div", {});
  private charted = "";
  private parts: GroupTable[];
  private requests: RequestList;

  constructor(
    private route: Route,
    private past: Past,
    private chosenSpan: string,
  ) {
    const kind = route.kind as Member;
    this.list = new TargetList(past);
    this.parts = kDown[kind].map((member) => new GroupTable(member, past));
    this.requests = new RequestList({ [kind]: route.name });
    this.node = el(
      "div",
      {},
      this.facts.node,
      this.list.node,
      ...this.parts.map((part) => part.node),
      this.chartsPlace,
      this.requests.node,
    );
  }

  update(frame: Frame): void {
    const { kind, name } = this.route;
    // A link from latencies has the label of a model whose targets have an ARN.
    const targets = frame.status.targets.filter((target) => target[kind as Member] === name || (kind === "model" && modelLabel(target) === name));
    const label = targets[0] === undefined ? name : modelLabel(targets[0]);
    if (kind === "model") {
      this.chart(label);
    }
    this.list.update(frame, targets);
    this.parts.forEach((part) => part.update(targets));
    const sums = sumsOf(targets, this.past);
    const models = new Set([name, ...targets.map((target) => target.model)]);
    const waiting = frame.status.waiting.filter((one) => kind === "model" && models.has(one.model));
    this.facts.show([
      ["Targets", `${count(sums.targets)}, ${stateText(sums)}`],
      ["Calls in flight", count(sums.inFlight)],
      ...(kind === "model" ? [["Waiting calls", waiting.map((one) => `${one.priority} ${count(one.calls)}`).join(", ") || "none"] as [string, string]] : []),
      ["Answered", `${perSecond(sums.answered)} a second`],
      ["429", `${perSecond(sums.throttled)} a second`],
      ["503 and overload", `${perSecond(sums.unavailable)} a second`],
      ["Other failures", `${perSecond(sums.failed)} a second`],
      ...(kind === "model" ? latencyFacts(frame, label) : []),
    ]);
  }

  /** Histories have the label too, which the first frame tells. */
  private chart(label: string): void {
    if (label !== this.charted) {
      this.charted = label;
      this.charts?.close();
      this.charts = new Charts("model", label, kModel, this.chosenSpan);
      this.chartsPlace.append(this.charts.node);
    }
  }

  span(span: string): void {
    this.chosenSpan = span;
    this.charts?.show(span);
  }

  close(): void {
    this.charts?.close();
    this.list.close();
    this.parts.forEach((part) => part.close());
    this.requests.close();
  }
}

/** What a click leads down to. */
const kDown: Record<Member, Member[]> = { account: ["region", "model"], region: ["account", "model"], model: ["account", "region"] };

/** Of a target's name, which may have an endpoint and a tier behind its model. */
function partsOf(name: string): Record<string, string> {
  const [account = "", region = "", ...rest] = name.split("/");
  const more = rest.findIndex((part, i) => i > 0 && /^(mantle|default|flex|priority|reserved)$/.test(part));
  return { account, region, model: (more < 0 ? rest : rest.slice(0, more)).join("/") };
}

function latencyFacts(frame: Frame, model: string): [string, string][] {
  const found = frame.latency.find((one) => one.model === model);
  const words = (value: Quantiles | null): string =>
    value === null ? "none in the last minute" : `half within ${latency(value.half)}, 95 % within ${value.beyond ? "more than " : ""}${latency(value.most)}`;
  return [
    ["Time of an answer, this model", words(found?.request ?? null)],
    ["Time to the first token, this model", words(found?.first_token ?? null)],
  ];
}

export function viewOf(route: Route, past: Past, orders: Orders, span: string): View {
  switch (route.kind) {
    case "target":
      return new TargetView(route.name, past, orders, span);
    case "client":
      return new ClientView(route.name, past, orders, span);
    case "request":
      return new RequestView(route.name);
    default:
      return new GroupView(route, past, span);
  }
}
