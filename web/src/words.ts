// Figures in words.

/** The order of names in a list. */
export const byName = new Intl.Collator().compare;

const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

export const count = (value: number): string => whole.format(value);

export const plural = (value: number, one: string, many = `${one}s`): string =>
  `${count(value)} ${value === 1 ? one : many}`;

export function perSecond(value: number): string {
  if (value === 0) {
    return "0";
  }
  if (value < 0.05) {
    return "< 0.1";
  }
  return value < 10 ? value.toFixed(1) : whole.format(value);
}

export function percent(share: number): string {
  const value = share * 100;
  return value > 0 && value < 1 ? "< 1 %" : `${Math.round(value)} %`;
}

/** US dollars: cents, but never a small amount as nothing. */
export function dollars(amount: number): string {
  const digits = amount === 0 || amount >= 1 ? 2 : amount >= 0.01 ? 4 : 6;
  return `$${amount.toFixed(digits)}`;
}

/** A latency: none is 0 ms, and a short one is not none. */
export function latency(seconds: number): string {
  if (seconds > 0 && seconds < 0.0005) {
    return "< 1 ms";
  }
  if (seconds < 0.0995) {
    return `${Math.round(seconds * 1000)} ms`;
  }
  return seconds < 9.95 ? `${seconds.toFixed(1)} s` : `${Math.round(seconds)} s`;
}

/** A while, in one unit. */
export function duration(seconds: number): string {
  const rounded = Math.max(0, Math.round(seconds));
  if (rounded < 90) {
    return `${rounded} s`;
  }
  if (rounded < 90 * 60) {
    return `${Math.round(rounded / 60)} min`;
  }
  return rounded < 36 * 3600 ? `${Math.round(rounded / 3600)} h` : `${Math.round(rounded / 86400)} days`;
}

const two = (value: number): string => String(value).padStart(2, "0");

export function clock(ms: number): string {
  const at = new Date(ms);
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

export function dateAndClock(ms: number): string {
  const at = new Date(ms);
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${clock(ms)}`;
}

/** Calls without a client's name are counted as the client "none". */
export const clientName = (name: string | null): string => (name === null || name === "" || name === "none" ? "(no name)" : name);

/** "requests a minute"; the window is shorter in tests. */
export function limitUnit(kind: string, windowSeconds: number): string {
  const window = windowSeconds === 60 ? "a minute" : `in ${duration(windowSeconds)}`;
  switch (kind) {
    case "requests":
      return `requests ${window}`;
    case "tokens":
      return `tokens ${window}`;
    case "input_tokens":
      return `input tokens ${window}`;
    case "output_tokens":
      return `output tokens ${window}`;
    case "daily_tokens":
      return "tokens a day";
    case "in_flight":
      return "calls in flight";
    default:
      return kind;
  }
}

/** A model without the parts that all of a list share. */
export function shortModel(model: string): string {
  const name = model.includes("/") ? model.slice(model.lastIndexOf("/") + 1) : model;
  return name.replace(/-\d{8}(-v\d+(:\d+)?)?$/, "").replace(/-v\d+:\d+$/, "");
}
