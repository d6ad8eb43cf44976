// Drawing in slices: what an update changes is spread over animation frames, so that none of them takes long.

const kBudget = 3; // ms of script in one frame; style, layout and paint come on top

// The newest work of each part, in the order in which the parts began to wait: newer work keeps the place of the older, so every part has its turn.
const waiting = new Map<object, () => void>();
let requested = false;
let end = 0; // of the slice, by performance.now()

/** Whether work that can be put off should go on. */
export const timeLeft = (): boolean => performance.now() < end;

/** Does the work in one of the next frames. It replaces earlier work of the same part that has not been done. */
export function draw(part: object, work: () => void): void {
  waiting.set(part, work);
  request();
}

/** Of a part that leaves the page. */
export function forget(part: object): void {
  waiting.delete(part);
}

function request(): void {
  if (!requested && waiting.size > 0) {
    requested = true;
    requestAnimationFrame(slice);
  }
}

function slice(): void {
  end = performance.now() + kBudget;
  requested = false;
  try {
    for (const [part, work] of waiting) {
      waiting.delete(part);
      work();
      if (!timeLeft()) {
        break;
      }
    }
  } finally {
    request();
  }
}

const kNear = "400px"; // what is so near to the screen counts as on it

const comes = new WeakMap<Element, (near: boolean) => void>();
const watcher = new IntersectionObserver(
  (entries) => {
    for (const entry of entries) {
      comes.get(entry.target)?.(entry.isIntersecting);
    }
  },
  { rootMargin: kNear },
);

/** A part of the page that is drawn once, and then anew only while it is on the screen or near it: there may be hundreds. */
export class Part {
  private near = true;
  private due = false;
  private drawn = false;
  private closed = false;

  /** `paint` draws the newest figures, or a part of them and returns false. The node must not be one that `paint` hides. */
  constructor(
    private node: Element,
    private paint: () => boolean | void,
  ) {}

  /** There are new figures. */
  update(): void {
    this.due = true;
    this.queue();
  }

  /** Draws at once, which is for what would be seen empty otherwise. */
  now(): void {
    forget(this);
    this.draw();
  }

  close(): void {
    this.closed = true;
    forget(this);
    watcher.unobserve(this.node);
  }

  private queue(): void {
    if (this.due && this.near && !this.closed) {
      draw(this, () => this.draw());
    }
  }

  private draw(): void {
    this.due = this.paint() === false;
    this.queue();
    if (!this.drawn) {
      this.drawn = true;
      comes.set(this.node, (near) => {
        this.near = near;
        this.queue();
      });
      watcher.observe(this.node);
    }
  }
}
