// The charts of a view, fed from /history again and again while the view is open.
import { Chart, type ChartOptions, type Line } from "./chart";
import { el } from "./dom";
import { history } from "./stream";
import { count, latency, perSecond } from "./words";

const kEvery = 5_000;

const rate = (value: number): string => perSecond(value);

const line = (column: string, label: string, color: string, more: Partial<Line> = {}): Line => ({ column, label, color, ...more });

export const kTotals: ChartOptions[] = [
  { title: "Requests a second", format: rate, lines: [line("answered_per_second", "answered", "--good-line", { fill: true }), line("refused_per_second", "refused", "--bad-line"), line("failed_per_second", "failed", "--warn-line")] },
  { title: "429 from Bedrock a second", format: rate, lines: [line("throttled_per_second", "429", "--warn-line", { fill: true })] },
  { title: "503 and overload from Bedrock a second", format: rate, lines: [line("unavailable_per_second", "503", "--bad-line", { fill: true })] },
  { title: "Waiting calls by class", format: count, whole: true, lines: [line("waiting_interactive", "interactive", "--line-1"), line("waiting_standard", "standard", "--line-2"), line("waiting_batch", "batch", "--line-3")] },
  { title: "Calls in flight, open streams and connections", format: count, whole: true, lines: [line("in_flight", "in flight", "--line-1", { fill: true }), line("streams", "streams", "--line-2"), line("connections", "connections", "--line-3", { dash: true })] },
];

export const kTarget: ChartOptions[] = [
  { title: "Tokens of the window", format: count, whole: true, lines: [line("tokens_used", "used", "--line-1", { fill: true }), line("tokens_reserved", "held", "--line-2"), line("tokens_limit", "limit", "--line-3", { dash: true, step: true })] },
  { title: "Requests of the window", format: count, whole: true, lines: [line("requests_used", "used", "--line-1", { fill: true }), line("requests_limit", "limit", "--line-3", { dash: true, step: true })] },
  { title: "Breaker", format: count, words: [[0, "closed"], [1, "half-open"], [2, "open"]], lines: [line("breaker", "state", "--bad-line", { fill: true, step: true })] },
  { title: "Answered a second", format: rate, lines: [line("answered_per_second", "answered", "--good-line", { fill: true })] },
  { title: "429 a second", format: rate, lines: [line("throttled_per_second", "429", "--warn-line", { fill: true })] },
  { title: "503 and overload a second", format: rate, lines: [line("unavailable_per_second", "503", "--bad-line", { fill: true })] },
  { title: "Calls in flight", format: count, whole: true, lines: [line("in_flight", "in flight", "--line-1", { fill: true })] },
];

export const kClient: ChartOptions[] = [
  { title: "Requests a second", format: rate, lines: [line("answered_per_second", "answered", "--good-line", { fill: true }), line("refused_per_second", "refused", "--bad-line")] },
  { title: "Quota tokens a second", format: count, whole: true, lines: [line("quota_tokens_per_second", "tokens", "--line-1", { fill: true })] },
  { title: "Waiting calls", format: count, whole: true, lines: [line("waiting", "waiting", "--line-2", { fill: true })] },
];

export const kModel: ChartOptions[] = [
  { title: "Time to the whole answer", format: latency, lines: [line("request_half", "half within", "--line-1"), line("request_95", "95 % within", "--line-2")] },
  { title: "Time to the first token", format: latency, lines: [line("first_token_half", "half within", "--line-1"), line("first_token_95", "95 % within", "--line-2")] },
  { title: "Time in the queue", format: latency, lines: [line("queue_95", "95 % within", "--line-3", { fill: true })] },
];

export class Charts {
  readonly node = el("div", { class: "charts" });
  private charts: Chart[];
  private timer = 0;
  private closed = false;

  constructor(
    private kind: string,
    private name: string,
    options: ChartOptions[],
    private span: string,
  ) {
    this.charts = options.map((one) => new Chart(one));
    this.node.append(...this.charts.map((chart) => chart.node));
    void this.refresh();
  }

  show(span: string): void {
    this.span = span;
    window.clearTimeout(this.timer);
    void this.refresh();
  }

  private async refresh(): Promise<void> {
    const span = this.span;
    try {
      const seen = await history(this.kind, this.name, span);
      if (!this.closed && span === this.span) {
        this.charts.forEach((chart) => chart.show(seen));
      }
    } catch {
      // The line about the connection says what is wrong.
    }
    if (!this.closed && span === this.span) {
      this.timer = window.setTimeout(() => void this.refresh(), kEvery);
    }
  }

  close(): void {
    this.closed = true;
    window.clearTimeout(this.timer);
    this.charts.forEach((chart) => chart.close());
    this.node.remove();
  }
}
