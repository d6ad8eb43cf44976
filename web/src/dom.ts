// Elements that are made once and then only changed where something is new.

type Child = Node | string;
type Attributes = Record<string, string | boolean | EventListener>;

export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") {
      node.addEventListener(name, value);
    } else if (value !== false) {
      node.setAttribute(name, value === true ? "" : value);
    }
  }
  node.append(...children);
  return node;
}

/** Of a node that has text alone. Its text node stays: a new one would cost style and layout more. */
export function setText(node: Node, text: string): void {
  const held = node.firstChild;
  if (held === null) {
    if (text !== "") {
      node.appendChild(document.createTextNode(text));
    }
  } else if ((held as Text).data !== text) {
    (held as Text).data = text;
  }
}

export function setClass(node: Element, name: string): void {
  if (node.className !== name) {
    node.className = name;
  }
}

export function setHidden(node: HTMLElement, hidden: boolean): void {
  if (node.hidden !== hidden) {
    node.hidden = hidden;
  }
}

export function setAttribute(node: Element, name: string, value: string): void {
  if (node.getAttribute(name) !== value) {
    node.setAttribute(name, value);
  }
}

export interface Row<T> {
  node: HTMLElement;
  update(item: T): void;
  /** Draws what update() has put off. */
  now?(): void;
  /** Of a row that leaves the page. */
  close?(): void;
}

/** A list whose items keep their elements. */
export class Rows<T> {
  private rows = new Map<string, Row<T>>();

  constructor(
    readonly container: HTMLElement,
    private key: (item: T) => string,
    private create: (item: T) => Row<T>,
  ) {}

  show(items: readonly T[]): void {
    const unused = new Set(this.rows.keys());
    let place: Element | null = this.container.firstElementChild;
    for (const item of items) {
      const key = this.key(item);
      let row = this.rows.get(key);
      if (row === undefined) {
        row = this.create(item);
        this.rows.set(key, row);
      }
      unused.delete(key);
      row.update(item);
      if (row.node === place) {
        place = place.nextElementSibling;
      } else if (place !== null && row.node === place.nextElementSibling) {
        // The one that stood here comes later: it is moved, and not all that stand behind it.
        const later = place;
        place = row.node.nextElementSibling;
        this.move(later, null);
      } else {
        this.move(row.node, place);
      }
    }
    for (const key of unused) {
      const row = this.rows.get(key)!;
      row.node.remove();
      row.close?.();
      this.rows.delete(key);
    }
  }

  /** Moving a node takes the focus from within it. */
  private move(node: Element, before: Element | null): void {
    const focused = node.contains(document.activeElement) ? (document.activeElement as HTMLElement) : null;
    this.container.insertBefore(node, before);
    focused?.focus({ preventScroll: true });
  }

  close(): void {
    this.show([]);
  }
}

const kAtOnce = 8; // rows made in a slice: what takes time is their style and layout, which no clock shows before

/** A long list: its elements stay where they are, and each shows the item that is due there. A changed order moves nothing; the focus goes with its item. */
export class Places<T> {
  private rows: Row<T>[] = [];
  private keys: string[] = [];

  constructor(
    private container: HTMLElement,
    private key: (item: T) => string,
    private create: (item: T) => Row<T>,
  ) {}

  show(items: readonly T[]): void {
    this.showSome(items, Infinity);
  }

  /** Makes at most so many rows, and says whether that was all. */
  showSome(items: readonly T[], most = kAtOnce): boolean {
    const focused = this.container.contains(document.activeElement)
      ? this.rows.findIndex((row) => row.node.contains(document.activeElement))
      : -1;
    const wanted = this.keys[focused];
    const end = Math.min(items.length, this.rows.length + most);
    for (const row of this.rows.splice(end)) {
      row.node.remove();
      row.close?.();
    }
    this.rows.forEach((row, place) => row.update(items[place]!));
    const made = items.slice(this.rows.length, end).map((item) => this.create(item));
    this.container.append(...made.map((row) => row.node));
    this.rows.push(...made);
    this.keys = items.slice(0, end).map(this.key);
    if (wanted !== undefined && this.keys[focused] !== wanted) {
      const row = this.rows[this.keys.indexOf(wanted)];
      row?.now?.();
      row?.node.querySelector("a")?.focus({ preventScroll: true });
    }
    return end === items.length;
  }

  close(): void {
    this.show([]);
  }
}
