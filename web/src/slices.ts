// Drawing in slices: what an update changes is spread over animation frames, so that none of them takes long.

const kFrame = 6; // ms of the main thread that a slice may take with style, layout and paint of what it has changed
const kLeast = 0.5; // ms of script of a slice
const kMost = 3;

let budget = 1; // ms of script, between those two: the style, layout and paint of the last slices tell how much fits into a frame

/** Returns false if the rest of it has to wait for the next frame. */
type Work = () => boolean | void;

// The newest work of each part, in the order in which the parts began to wait: newer work keeps the place of the older, so every part has its turn.
const waiting = new Map<object, Work>();
const unseen = new Map<object, () => void>();
let requested = false;
let full = false; // nothing more fits into this slice

/** Does the work in one of the next frames. It replaces earlier work of the same part that has not been done. */
export function draw(part: object, work: Work): void {
  waiting.set(part, work);
  request();
}

/** The same for work that changes nothing on the screen: it is done between frames. */
function drawUnseen(part: object, work: () => void): void {
  unseen.set(part, work);
  request();
}

/** Of work whose paint costs far more than its script, such as a canvas: it is the last of its slice. */
export function fillFrame(): void {
  full = true;
}

function forget(part: object): void {
  waiting.delete(part);
  unseen.delete(part);
}

function request(): void {
  if (!requested && waiting.size + unseen.size > 0) {
    requested = true;
    requestAnimationFrame(slice);
  }
}

function slice(): void {
  const began = performance.now();
  requested = false;
  full = false;
  try {
    for (const [part, work] of waiting) {
      waiting.delete(part);
      if (work() === false) {
        draw(part, work);
        break;
      }
      if (full || performance.now() - began >= budget) {
        break;
      }
    }
  } finally {
    painted.port2.postMessage(began);
    request();
  }
}

// A message that is sent in an animation frame comes after its paint.
const painted = new MessageChannel();
painted.port1.onmessage = (event: MessageEvent<number>) => {
  const now = performance.now();
  const took = now - event.data;
  budget = took > kFrame ? Math.max(kLeast, (budget * kFrame) / took) : Math.min(kMost, budget * 1.1);
  for (const [part, work] of unseen) {
    unseen.delete(part);
    work();
    if (performance.now() - now >= kMost) {
      break;
    }
  }
  request();
};

const kNear = "200px"; // what is so near to the screen counts as on it

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

  /** `paint` draws the newest figures; `distant` is done in its place as long as the node is out of sight. The node must not be one that they hide. */
  constructor(
    private node: Element,
    private paint: Work,
    private distant?: () => void,
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
    if (!this.due || this.closed) {
      return;
    }
    if (this.near) {
      draw(this, () => this.draw());
    } else if (this.distant !== undefined) {
      drawUnseen(this, this.distant);
    }
  }

  private draw(): boolean | void {
    if (!this.near) {
      return this.distant?.();
    }
    const done = this.paint();
    this.due = done === false;
    if (!this.drawn) {
      this.drawn = true;
      comes.set(this.node, (near) => {
        this.near = near;
        if (near) {
          this.queue();
        }
      });
      watcher.observe(this.node);
    }
    return done;
  }
}
