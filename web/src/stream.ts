// GET /events, /history and POST, with the admin key where one is needed.
import type { Explanation, Frame, History, Recent } from "./frame";

const kKey = "weir-admin-key"; // of this tab's session storage: gone with the tab
const kSilence = 8_000; // ms without a frame after which the connection counts as lost
const kLongestPause = 10_000;

export class Refused extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

let key = sessionStorage.getItem(kKey) ?? "";

export function setKey(value: string): void {
  key = value;
  if (value === "") {
    sessionStorage.removeItem(kKey);
  } else {
    sessionStorage.setItem(kKey, value);
  }
}

// What a header field carries: a browser throws on the rest (a typographic hyphen or quote), and weir would answer 400.
const kSendable = /^[\t\x20-\x7e\x80-\xff]*$/;

async function ask(path: string, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  if (key !== "") {
    if (!kSendable.test(key)) {
      throw new Refused(401, "the key has a character that no header field can carry");
    }
    headers.set("Authorization", `Bearer ${key}`);
  }
  const response = await fetch(path, { ...init, headers, cache: "no-store", redirect: "error" });
  if (!response.ok) {
    let message = "";
    try {
      message = ((await response.json()) as { message?: string }).message ?? "";
    } catch {
      // Not JSON: the status has to do.
    }
    throw new Refused(response.status, message.replace(/^weir: /, "") || `HTTP status ${response.status}`);
  }
  return response;
}

export async function history(kind: string, name: string, span: string): Promise<History> {
  const query = new URLSearchParams({ kind, name, span });
  return (await (await ask(`/history?${query}`)).json()) as History;
}

export async function recent(query: Record<string, string>): Promise<Recent> {
  return (await (await ask(`/requests?${new URLSearchParams(query)}`)).json()) as Recent;
}

export async function explanation(id: string): Promise<Explanation> {
  return (await (await ask(`/explain/${encodeURIComponent(id)}`)).json()) as Explanation;
}

export async function post(path: string, body?: unknown): Promise<unknown> {
  const response = await ask(path, {
    method: "POST",
    ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } }),
  });
  return response.json();
}

export interface Listener {
  frame(frame: Frame): void;
  /** Null: it will be tried again. */
  lost(why: string): void;
  needsKey(wrong: boolean): void;
}

/** Reads events until one asks for a key; then again once `listen` is called anew. */
export async function listen(to: Listener): Promise<void> {
  for (let failures = 0; ; ) {
    const stop = new AbortController();
    let timer = window.setTimeout(() => stop.abort(), kSilence);
    try {
      const response = await ask("/events", { signal: stop.signal });
      const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
      let text = "";
      for (;;) {
        const { done, value } = await reader.read();
        if (done) {
          break;
        }
        const ends = value.includes("\n\n") || (text.endsWith("\n") && value.startsWith("\n"));
        text += value;
        if (!ends) {
          continue;
        }
        const end = text.lastIndexOf("\n\n");
        // Only the newest of several counts.
        const event = text.slice(text.lastIndexOf("\n\n", end - 1) + 1, end).trim();
        text = text.slice(end + 2);
        window.clearTimeout(timer);
        timer = window.setTimeout(() => stop.abort(), kSilence);
        failures = 0;
        to.frame(JSON.parse(event.slice("data: ".length)) as Frame);
      }
      to.lost("Weir has ended the connection.");
    } catch (problem) {
      if (problem instanceof Refused && problem.status === 401) {
        const wrong = key !== "";
        setKey("");
        to.needsKey(wrong);
        return;
      }
      to.lost(problem instanceof Refused ? problem.message : "Weir does not answer.");
    } finally {
      window.clearTimeout(timer);
    }
    failures += 1;
    await new Promise((resolve) => window.setTimeout(resolve, Math.min(kLongestPause, 1000 * failures)));
  }
}
