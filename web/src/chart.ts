// Histories drawn by uPlot, in the colours of the theme.
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { el, setHidden, setText } from "./dom";
import type { History } from "./frame";
import { fillFrame, Part } from "./slices";
import { clock } from "./words";

export interface Line {
  column: string;
  label: string;
  /** A custom property of the style. */
  color: string;
  dash?: boolean;
  fill?: boolean;
  step?: boolean;
}

export interface ChartOptions {
  title: string;
  lines: Line[];
  format: (value: number) => string;
  /** Values are whole numbers, and so are the ticks. */
  whole?: boolean;
  /** Fixed ticks of the axis, with their words. */
  words?: [number, string][];
}

const kHeight = 132; // pixels, as in the style
const kShortest = 60; // points: five minutes or five hours
const kWhole = Array.from({ length: 15 }, (_, power) => [1, 2, 5].map((digit) => digit * 10 ** power)).flat();

const kFont = "12px system-ui, sans-serif";
const kNarrowAxis = 58; // pixels: charts of small figures begin at the same place
const kWideAxis = 0.4; // of the chart
const kBesideLabel = 16; // pixels of an axis for its ticks and the gap between them and the labels

const ruler = document.createElement("canvas").getContext("2d")!;

/** Of the axis with these labels, none of which may be cut. */
function axisWidth(labels: string[], chart: number): number {
  ruler.font = kFont;
  const widest = Math.max(0, ...labels.map((label) => ruler.measureText(label).width));
  return Math.min(Math.max(kNarrowAxis, Math.ceil(widest) + kBesideLabel), Math.round(kWideAxis * chart));
}

const dark = window.matchMedia("(prefers-color-scheme: dark)");

const colors = new Map<string, string>();
dark.addEventListener("change", () => colors.clear());

/** Read once: each reading has the browser work out the styles of what has changed. */
function color(name: string): string {
  let value = colors.get(name);
  if (value === undefined) {
    value = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
    colors.set(name, value);
  }
  return value;
}

export class Chart {
  readonly node: HTMLElement;
  private body = el("div", { class: "plot", role: "img" });
  private legend = el("div", { class: "legend" });
  private values = new Map<string, HTMLElement>();
  private empty = el("p", { class: "empty" }, "No data yet.");
  private plot: uPlot | null = null;
  private history: History | null = null;
  private width = 0; // of the body, once it has been laid out
  private resized = new ResizeObserver((entries) => this.resize(entries.at(-1)!.contentRect.width));
  private redraw = () => this.recolor();
  private part: Part;

  constructor(private options: ChartOptions) {
    for (const line of options.lines) {
      const value = el("span", { class: "value" }, "–");
      const swatch = el("span", { class: line.dash ? "swatch dash" : "swatch", "aria-hidden": "true" });
      swatch.style.color = `var(${line.color})`;
      this.values.set(line.column, value);
      this.legend.append(el("span", { class: "key" }, swatch, `${line.label} `, value));
    }
    this.node = el("figure", { class: "chart" }, el("figcaption", {}, options.title), this.legend, this.body, this.empty);
    this.body.setAttribute("aria-label", `${options.title}: no data yet`);
    this.part = new Part(this.node, () => this.draw());
    this.resized.observe(this.body);
    dark.addEventListener("change", this.redraw);
  }

  /** Of an element that leaves the page. */
  close(): void {
    this.resized.disconnect();
    dark.removeEventListener("change", this.redraw);
    this.part.close();
    this.plot?.destroy();
    this.plot = null;
  }

  show(history: History): void {
    this.history = history;
    this.part.update();
  }

  private resize(width: number): void {
    if (width > 0 && Math.abs(width - this.width) > 1) {
      this.width = width;
      this.part.update();
    }
  }

  private recolor(): void {
    this.plot?.destroy();
    this.plot = null;
    this.part.update();
  }

  private draw(): void {
    const { history } = this;
    if (history === null) {
      return;
    }
    const lines = this.options.lines;
    const columns = lines.map((line) => history.values[history.columns.indexOf(line.column)] ?? []);
    const latest = columns.map((values) => values.at(-1) ?? values.at(-2) ?? null);
    lines.forEach((line, i) => {
      const value = latest[i] ?? null;
      setText(this.values.get(line.column)!, value === null ? "–" : this.words(value));
    });
    const known = columns.some((values) => values.some((value) => value !== null));
    setHidden(this.empty, known);
    setHidden(this.body, !known);
    this.body.setAttribute(
      "aria-label",
      `${this.options.title}: now ${lines.map((line, i) => `${line.label} ${latest[i] == null ? "not known" : this.words(latest[i]!)}`).join(", ")}`,
    );
    if (!known || this.width === 0) {
      return;
    }
    fillFrame();
    const width = Math.max(120, Math.round(this.width));
    if (this.plot === null) {
      this.plot = this.made(width);
      return;
    }
    if (width !== this.plot.width) {
      this.plot.setSize({ width, height: kHeight });
    }
    this.plot.setData(this.data());
  }

  private words(value: number): string {
    return this.options.words?.find(([at]) => at === Math.round(value))?.[1] ?? this.options.format(value);
  }

  /** From the first known value on, but at least the last kShortest points. */
  private data(): uPlot.AlignedData {
    const history = this.history!;
    const points = history.values[0]!.length;
    const columns = this.options.lines.map((line) => history.values[history.columns.indexOf(line.column)] ?? []);
    const known = columns.map((values) => values.findIndex((value) => value !== null)).filter((at) => at >= 0);
    const from = Math.max(0, Math.min(points - kShortest, Math.min(...known, points) - 1));
    const times = Array.from({ length: points - from }, (_, i) => history.end - (points - 1 - from - i) * history.step_seconds);
    return [times, ...columns.map((values) => values.slice(from))] as uPlot.AlignedData;
  }

  private made(width: number): uPlot {
    const axis = { stroke: color("--soft"), grid: { stroke: color("--rule"), width: 1 }, ticks: { stroke: color("--rule"), width: 1 }, font: kFont };
    const { words } = this.options;
    return new uPlot(
      {
        width,
        height: kHeight,
        legend: { show: false },
        cursor: { y: false, points: { size: 6 }, drag: { x: false, y: false } },
        select: { show: false, left: 0, top: 0, width: 0, height: 0 },
        scales: {
          x: { time: true },
          y: { range: words ? [words[0]![0], words.at(-1)![0] + 0.15] : (_, __, max) => [0, this.options.whole ? Math.max(2, max * 1.08) : max > 0 ? max * 1.08 : 1] },
        },
        axes: [
          { ...axis, values: (_, splits) => splits.map((at) => clock(at * 1000).slice(0, 5)), size: 28, space: 64 },
          {
            ...axis,
            size: (plot, labels) => axisWidth(labels ?? [], plot.width),
            space: words ? 20 : 30,
            ...(this.options.whole ? { incrs: kWhole } : {}),
            values: (_, splits) => splits.map((value) => (words ? (words.find(([at]) => at === value)?.[1] ?? "") : this.options.format(value))),
            ...(words ? { splits: () => words.map(([at]) => at) } : {}),
          },
        ],
        series: [
          {},
          ...this.options.lines.map((line) => ({
            stroke: color(line.color),
            width: 1, // a wider line takes three times as long to paint
            points: { show: false },
            spanGaps: false,
            ...(line.dash ? { dash: [6, 4] } : {}),
            ...(line.fill ? { fill: `${color(line.color)}33` } : {}),
            ...(line.step ? { paths: uPlot.paths.stepped!({ align: 1 }) } : {}),
          })),
        ],
        hooks: {
          setCursor: [
            (plot) => {
              // Under the pointer: the values of that time instead of the latest ones.
              const at = plot.cursor.idx;
              this.options.lines.forEach((line, i) => {
                const values = plot.data[i + 1]!;
                const value = at == null ? (values.at(-1) ?? values.at(-2)) : values[at];
                setText(this.values.get(line.column)!, value == null ? "–" : this.words(value));
              });
            },
          ],
        },
      },
      this.data(),
      this.body,
    );
  }
}
