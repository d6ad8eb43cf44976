// The page: what is wrong first, then the whole instance or a part of it.
import "./style.css";
import { routeOf, viewOf, type Route, type View } from "./detail";
import { el, Rows, setAttribute, setClass, setHidden, setText } from "./dom";
import { withUnused, type Frame } from "./frame";
import { Orders } from "./orders";
import { Overview } from "./overview";
import { Past } from "./past";
import { draw } from "./slices";
import { listen, setKey } from "./stream";
import { troubles, type Trouble } from "./trouble";
import { clientName, clock, count, dateAndClock, plural } from "./words";

const kTroubles = 8; // shown until all are asked for

const past = new Past();
let frame: Frame | null = null;
let view: View | null = null;
let route: Route | null = null;
let span = "hour";
let allTroubles = false;
let lostSince = 0; // 0: connected

const live = el("span", { class: "live wait", role: "status" }, "Connecting");
// Beside the status and not in it: a screen reader would tell the time every second.
const time = el("span", { class: "time" });
const facts = el("span", { class: "head-facts" });
const said = el("p", { class: "said", role: "status", hidden: true });
const orders = new Orders((text) => {
  setText(said, text);
  setHidden(said, false);
  window.setTimeout(() => setHidden(said, true), 15_000);
});
const reload = el("button", { type: "button", hidden: true, click: () => orders.reload() }, "Reload …");
const spans = (
  [
    ["hour", "Last hour"],
    ["day", "Last day"],
  ] as const
).map(([name, words]) =>
  el("button", { type: "button", "aria-pressed": String(name === span), "data-span": name, click: () => choose(name) }, words),
);

const verdict = el("h1", { tabindex: "-1" }, "weir");
const troubleList = el("ul", { class: "troubles" });
const troubleRows = new Rows<Trouble>(
  troubleList,
  (one) => one.key,
  (one) => {
    const what = one.link === null ? el("span", { class: "what" }) : el("a", { class: "what", href: one.link });
    const doing = el("span", { class: "doing" });
    const node = el("li", {}, what, " ", doing);
    return {
      node,
      update: (now) => {
        setClass(node, now.severity);
        const words = now.words();
        setText(what, words[0]);
        setText(doing, words[1]);
        if (now.link !== null) {
          setAttribute(what, "href", now.link);
        }
      },
    };
  },
);
const moreTroubles = el("button", { type: "button", class: "more", hidden: true, click: () => { allTroubles = true; render(); } });
const crumb = el("p", { class: "crumb", hidden: true }, el("a", { href: "#/" }, "← The whole instance"));
const heading = el("h2", { hidden: true, tabindex: "-1" });
const body = el("div", {});
const main = el("main", { id: "main" }, crumb, heading, body);
const footer = el("footer", {});

const keyField = el("input", { type: "password", id: "admin-key", autocomplete: "off", required: true });
const keyProblem = el("p", { class: "problem", role: "alert", hidden: true }, "Weir does not take this key.");
const keyForm = el(
  "form",
  {
    class: "key-form",
    hidden: true,
    submit: (event) => {
      event.preventDefault();
      setKey(keyField.value);
      keyField.value = "";
      setHidden(keyForm, true);
      start();
    },
  },
  el("h2", {}, "Admin key"),
  el("p", {}, "This port answers only with the admin key, whose hash is admin_key_sha256 in the configuration. This tab remembers it until it is closed."),
  keyProblem,
  el("div", { class: "fields" }, el("label", { for: "admin-key" }, "Key"), keyField),
  el("div", { class: "buttons" }, el("button", { type: "submit", class: "primary" }, "Show the page")),
);

function choose(name: string): void {
  span = name;
  for (const button of spans) {
    setAttribute(button, "aria-pressed", String(button.dataset.span === name));
  }
  view?.span(name);
}

function verdictOf(list: Trouble[]): string {
  const bad = list.filter((one) => one.severity === "bad").length;
  const warn = list.filter((one) => one.severity === "warn").length;
  if (bad > 0) {
    return `${plural(bad, "failure")}${warn > 0 ? ` and ${plural(warn, "warning")}` : ""}`;
  }
  return warn > 0 ? plural(warn, "warning") : "All is well";
}

/** Everything that the page shows has new figures. */
function render(): void {
  if (frame === null) {
    return;
  }
  draw(verdict, () => showHead(frame!));
  draw(body, () => view?.update(frame!));
}

function showHead(frame: Frame): void {
  if (lostSince === 0) {
    setText(live, "Live");
    setText(time, clock(frame.time_ms));
    setClass(live, "live");
    document.body.classList.remove("stale");
  }
  const list = troubles(frame, past);
  const words = verdictOf(list);
  setText(verdict, words);
  setClass(verdict, list[0]?.severity === "bad" ? "bad" : list[0]?.severity === "warn" ? "warn" : "good");
  const title = `${words} · weir`;
  if (document.title !== title) {
    document.title = title;
  }
  troubleRows.show(allTroubles ? list : list.slice(0, kTroubles));
  setHidden(moreTroubles, allTroubles || list.length <= kTroubles);
  setText(moreTroubles, `Show ${count(list.length - kTroubles)} more`);
  const { status, connections, mode } = frame;
  setText(
    facts,
    `${plural(status.in_flight, "call")} in flight · ${count(status.waiting_calls)} waiting · ${plural(frame.streams, "open stream")} · ${plural(connections.active + connections.idle, "open connection")}${mode === "observe" ? " · mode: observe, nothing is held back" : ""}`,
  );
  setHidden(reload, !frame.reload);
  setText(
    footer,
    `weir ${status.version} · instance ${frame.instance} · configuration ${status.configuration.hash} since ${dateAndClock(Date.parse(status.configuration.since))}`,
  );
}

function show(): void {
  const next = routeOf(location.hash);
  if (view !== null && next?.kind === route?.kind && next?.name === route?.name) {
    return;
  }
  view?.close();
  const moved = view !== null;
  route = next;
  view = next === null ? new Overview(past, span) : viewOf(next, past, orders, span);
  setHidden(crumb, next === null);
  setHidden(heading, next === null);
  if (next !== null) {
    const kind = next.kind === "region" ? "Region" : next.kind[0]!.toUpperCase() + next.kind.slice(1);
    setText(heading, `${kind} ${next.kind === "client" ? clientName(next.name) : next.name}`);
  }
  body.replaceChildren(view.node);
  if (moved) {
    window.scrollTo(0, 0);
    (next === null ? verdict : heading).focus({ preventScroll: true });
  }
  render();
}

function start(): void {
  void listen({
    frame(next) {
      frame = withUnused(next);
      past.add(next);
      lostSince = 0;
      render();
    },
    lost(why) {
      lostSince ||= Date.now();
      setText(live, `${why} No figures since ${clock(lostSince)}; trying again.`);
      setText(time, "");
      setClass(live, "live lost");
      document.body.classList.add("stale");
    },
    needsKey(wrong) {
      setText(live, "Waiting for the admin key");
      setText(time, "");
      setClass(live, "live wait");
      setHidden(keyForm, false);
      setHidden(keyProblem, !wrong);
      keyField.focus();
    },
  });
}

document.getElementById("page")!.append(
  el("a", { class: "skip", href: "#main", click: (event) => { event.preventDefault(); body.querySelector<HTMLElement>("a, button, [tabindex]")?.focus(); } }, "Skip to the figures"),
  el(
    "header",
    {},
    el("a", { class: "brand", href: "#/" }, "weir"),
    el("span", {}, live, time),
    facts,
    el("span", { class: "controls" }, el("span", { class: "spans", role: "group", "aria-label": "Time of the charts" }, ...spans), reload),
  ),
  keyForm,
  said,
  el("section", { class: "now", "aria-label": "What is wrong now" }, verdict, troubleList, moreTroubles),
  main,
  footer,
  orders.dialog,
);
window.addEventListener("hashchange", show);
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && route !== null && document.querySelector("dialog[open]") === null) {
    location.hash = "#/";
  }
});
show();
start();
