// The whole instance.
import { Charts, kTotals } from "./charts";
import { ClientList } from "./clients";
import { linkOf, type View } from "./detail";
import { el, setHidden, setText } from "./dom";
import type { Frame, Quantiles } from "./frame";
import { flowKey, type Past } from "./past";
import { GroupTable } from "./groups";
import { idForm, RequestList } from "./requests";
import { Part } from "./slices";
import { Table } from "./table";
import { TargetList } from "./targets";
import { severalAccounts } from "./trouble";
import { byName, count, dateAndClock, latency, plural, shortModel } from "./words";

const section = (title: string, ...content: Node[]): HTMLElement => el("section", { class: "apart" }, el("h2", {}, title), ...content);

const quantile = (value: Quantiles | null, read: "half" | "most"): string =>
  value === null ? "–" : `${read === "most" && value.beyond ? "> " : ""}${latency(value[read])}`;

export class Overview implements View {
  readonly node: HTMLElement;
  private targets: TargetList;
  private clients: ClientList;
  private charts: Charts;
  private latencies = new Table(
    "Latency by model",
    ["Model", "Requests", "Answer, half within", "95 % within", "First token, half within", "95 % within ", "In the queue, 95 % within"],
    "No request has ended within the last minute.",
  );
  private waiting = new Table("Waiting calls", ["Model", "~Class", "Waiting"], "No call waits.");
  private flows = new Table(
    "Flows between targets",
    ["From", "~To", "Answers, last minute", "Since the start"],
    "Every answer has come from the first target of its route.",
  );
  private incidents = new Table("Incidents", ["Incident", "~State", "~Since", "~What weir knows and did"], "No incident.");
  private unwatched = el("p", { class: "soft" });
  private instances = el("p", {});
  private shared = new Table("Shared quotas", ["Quota", "~Books", "Instances"], "No quota is shared so far.");
  private accounts: GroupTable;
  private accountsSection: HTMLElement;
  private regions: GroupTable;
  private requests = new RequestList({});
  private frame: Frame | null = null;
  private parts: Part[];

  constructor(private past: Past, span: string) {
    this.targets = new TargetList(past);
    this.clients = new ClientList(past);
    this.charts = new Charts("total", "all", kTotals, span);
    this.accounts = new GroupTable("account", past);
    this.regions = new GroupTable("region", past);
    this.requests.node.append(idForm());
    this.accountsSection = section("Accounts", this.accounts.node);
    const waiting = section("Waiting", this.waiting.node);
    const flows = section("Answered by another target", this.flows.node);
    const latencies = section("Latency, last minute", this.latencies.node);
    const incidents = section("Incidents", this.incidents.node, this.unwatched);
    const instances = section("Instances and store", this.instances, this.shared.node);
    this.parts = [
      new Part(waiting, () => this.showWaiting(this.frame!)),
      new Part(flows, () => this.showFlows(this.frame!)),
      new Part(latencies, () => this.showLatencies(this.frame!)),
      new Part(incidents, () => this.showIncidents(this.frame!)),
      new Part(instances, () => this.showInstances(this.frame!)),
    ];
    this.node = el(
      "div",
      {},
      el("section", {}, el("h2", {}, "Targets"), this.targets.node),
      section("The whole instance", this.charts.node),
      el("div", { class: "columns" }, waiting, flows),
      el("div", { class: "columns" }, this.accountsSection, section("Regions", this.regions.node)),
      latencies,
      section("Clients", this.clients.node),
      this.requests.node,
      incidents,
      instances,
    );
  }

  update(frame: Frame): void {
    this.frame = frame;
    this.targets.update(frame, frame.status.targets);
    setHidden(this.accountsSection, !severalAccounts(frame));
    this.accounts.update(frame.status.targets);
    this.regions.update(frame.status.targets);
    this.clients.update(frame);
    this.parts.forEach((part) => part.update());
  }

  private showWaiting(frame: Frame): void {
    this.waiting.show(
      frame.status.waiting.map((one) => ({
        key: `${one.model}/${one.priority}`,
        link: linkOf("model", one.model),
        cells: [{ text: shortModel(one.model) }, { text: one.priority }, { text: count(one.calls), severity: "warn" as const }],
      })),
    );
  }

  private showFlows(frame: Frame): void {
    const flows = frame.counts.flows.map((flow) => ({ flow, minute: this.past.flowMinute(flow) }));
    flows.sort((a, b) => b.minute - a.minute || b.flow.answers - a.flow.answers);
    this.flows.show(
      flows.slice(0, 12).map(({ flow, minute }) => ({
        key: flowKey(flow),
        cells: [
          { text: `${flow.from_region} · ${shortModel(flow.from_model)}` },
          { text: `${flow.to_region} · ${shortModel(flow.to_model)}` },
          { text: count(minute), severity: minute > 0 ? ("warn" as const) : undefined },
          { text: count(flow.answers) },
        ],
      })),
    );
  }

  private showLatencies(frame: Frame): void {
    this.latencies.show(
      [...frame.latency]
        .sort((a, b) => (b.request?.count ?? 0) - (a.request?.count ?? 0))
        .slice(0, 20)
        .map((one) => ({
          key: one.model,
          link: linkOf("model", one.model),
          cells: [
            { text: shortModel(one.model) },
            { text: count(one.request?.count ?? 0) },
            { text: quantile(one.request, "half") },
            { text: quantile(one.request, "most") },
            { text: quantile(one.first_token, "half") },
            { text: quantile(one.first_token, "most") },
            { text: quantile(one.queue, "most") },
          ],
        })),
    );
  }

  private showIncidents(frame: Frame): void {
    this.incidents.show(
      frame.incidents.incidents.slice(0, 20).map((one) => ({
        key: one.id,
        cells: [
          { text: one.title },
          { text: one.state === "open" ? `open, ${one.priority.toLowerCase()}` : "resolved", severity: one.state === "open" ? ("bad" as const) : undefined },
          { text: dateAndClock(one.opened * 1000) },
          { text: one.description },
        ],
      })),
    );
    setText(
      this.unwatched,
      frame.incidents.watched ? "" : "Nobody is to be told of incidents, so weir records none. aws.incidents in the configuration names a topic or a webhook.",
    );
  }

  private showInstances(frame: Frame): void {
    setText(this.instances, instancesText(frame));
    setHidden(this.shared.node, frame.store === null);
    this.shared.show(
      [...frame.status.shared]
        .sort((a, b) => Number(a.mode === "joined") - Number(b.mode === "joined") || byName(a.quota, b.quota))
        .slice(0, 30)
        .map((one) => ({
          key: one.quota,
          cells: [
            { text: one.quota },
            { text: one.mode === "joined" ? "in the store" : "this instance counts alone", severity: one.mode === "joined" ? undefined : ("bad" as const) },
            { text: count(one.instances) },
          ],
        })),
    );
  }

  span(span: string): void {
    this.charts.show(span);
  }

  close(): void {
    this.charts.close();
    this.targets.close();
    this.clients.close();
    this.accounts.close();
    this.regions.close();
    this.requests.close();
    this.parts.forEach((part) => part.close());
  }
}

function instancesText(frame: Frame): string {
  if (frame.store === null) {
    return "This instance counts alone: no shared store is configured.";
  }
  const alone = frame.status.shared.filter((one) => one.mode !== "joined").length;
  const quotas = frame.status.shared.length;
  if (frame.store.joined) {
    return `${plural(frame.store.instances, "instance")} ${frame.store.instances === 1 ? "draws" : "draw"} on the same quotas. The store keeps the books of ${quotas === 0 ? "every quota in use" : plural(quotas, "quota")}.`;
  }
  return `The store does not keep the books of ${plural(alone, "quota")}: this instance counts those alone.`;
}
