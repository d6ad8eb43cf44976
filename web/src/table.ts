// A table whose cells are texts; the first column may be a link.
import { el, Rows, setAttribute, setClass, setHidden, setText } from "./dom";

export interface Cell {
  text: string;
  severity?: "warn" | "bad" | undefined;
}

export interface TableRow {
  key: string;
  link?: string;
  cells: Cell[];
}

export class Table {
  readonly node: HTMLElement;
  private rows: Rows<TableRow>;
  private wrap: HTMLElement;
  private empty: HTMLElement;

  /** `columns`: heads; all but the first are figures unless their name begins with "~". */
  constructor(label: string, columns: string[], empty: string) {
    const text = columns.map((name, i) => i === 0 || name.startsWith("~"));
    const body = el("tbody", {});
    this.rows = new Rows(
      body,
      (row) => row.key,
      (row) => {
        const link = row.link === undefined ? null : el("a", {});
        const cells = columns.map((_, i) =>
          i === 0 ? el("th", { scope: "row" }, ...(link ? [link] : [])) : el("td", text[i] ? { class: "text" } : {}),
        );
        return {
          node: el("tr", {}, ...cells),
          update: (now) => {
            now.cells.forEach((cell, i) => {
              const node = cells[i]!;
              setText(i === 0 && link ? link : node, cell.text);
              if (i > 0) {
                setClass(node, `${text[i] ? "text " : ""}${cell.severity ?? ""}`.trim());
              }
            });
            if (link && now.link !== undefined) {
              setAttribute(link, "href", now.link);
            }
          },
        };
      },
    );
    this.wrap = el(
      "div",
      { class: "scroll", tabindex: "0", role: "region", "aria-label": label },
      el(
        "table",
        {},
        el("thead", {}, el("tr", {}, ...columns.map((name, i) => el("th", { scope: "col", ...(text[i] ? { class: "text" } : {}) }, name.replace("~", ""))))),
        body,
      ),
    );
    this.empty = el("p", { class: "empty" }, empty);
    this.node = el("div", {}, this.wrap, this.empty);
  }

  /** Whether all are there: see Rows.show(). */
  show(rows: readonly TableRow[], timeLeft?: () => boolean): boolean {
    const complete = this.rows.show(rows, timeLeft);
    setHidden(this.wrap, rows.length === 0);
    setHidden(this.empty, rows.length > 0);
    return complete;
  }
}
