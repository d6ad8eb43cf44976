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

export function setText(node: Node, text: string): void {
  if (node.textContent !== text) {
    node.textContent = text;
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
  /** Of a row that leaves the page. */
  close?(): void;
}

const kNear = "400px"; // what is so near to the screen counts as on it

const sights = new WeakMap<Element, (near: boolean) => void>();
const watcher = new IntersectionObserver(
  (entries) => {
    for (const entry of entries) {
      sights.get(entry.target)?.(entry.isIntersecting);
    }
  },
  { rootMargin: kNear },
);

/** Whether a node is on the screen or near it. */
export class Sight {
  near = true;

  /** `comes`: it has come near again. */
  constructor(
    private node: Element,
    comes: () => void,
  ) {
    sights.set(node, (near) => {
      const before = this.near;
      this.near = near;
      if (near && !before) {
        comes();
      }
    });
    watcher.observe(node);
  }

  close(): void {
    watcher.unobserve(this.node);
  }
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
