// A table whose cells are texts; the first column may be a link.
import { el, Places, setAttribute, setClass, setHidden, setText } from "./dom";

export interface Cell {
  text: string;
  severity?: "warn" | "bad" | undefined;
}

export interface TableRow {
  key: string;
  link?: string | undefined;
  cells: Cell[];
}

export class Table {
  readonly node: HTMLElement;
  private rows: Places<TableRow>;
  private wrap: HTMLElement;
  private empty: HTMLElement;

  /** `columns`: heads; all but the first are figures unless their name begins with "~". */
  constructor(label: string, columns: string[], empty: string) {
    const text = columns.map((name, i) => i === 0 || name.startsWith("~"));
    const body = el("tbody", {});
    this.rows = new Places(
      body,
      (row) => row.key,
      (first) => {
        let link: HTMLAnchorElement | null = null;
        const cells = columns.map((_, i) => (i === 0 ? el("th", { scope: "row" }) : el("td", text[i] ? { class: "text" } : {})));
        const update = (now: TableRow): void => {
          // The row that comes to stand here may have a link where the one before had none.
          if ((now.link !== undefined) !== (link !== null)) {
            link = now.link === undefined ? null : el("a", {});
            cells[0]!.replaceChildren(...(link ? [link] : []));
          }
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
        };
        update(first);
        return { node: el("tr", {}, ...cells), update };
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

  show(rows: readonly TableRow[]): void {
    this.showSome(rows, Infinity);
  }

  /** As Places.showSome(). */
  showSome(rows: readonly TableRow[], most?: number): boolean {
    const complete = this.rows.showSome(rows, most);
    setHidden(this.wrap, rows.length === 0);
    setHidden(this.empty, rows.length > 0);
    return complete;
  }
}
