"""`weir plan` keeps its word: what it foretells of a trace is what the gateway then does with it.

Each row of the table in docs/how-weir-decides.md is planned, and played on `weir serve` before `weir sim`, both with time
compressed tenfold; the rows run side by side. The traces are drawn from a seed, which is printed: WEIR_SEED repeats it.
"""

import asyncio
import json
import math
import os
import random
import statistics
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from harness import EAST, SONNET, WEST, Gateway, Sim, command, say

COMPRESSION = 10
SECONDS = 560  # of arrivals, uncompressed
CALLS_PER_SECOND = 3.5
PATIENCE = 60
MAX_TOKENS = 4096
BURNDOWN = 5
PLAN_SEEDS = (1, 2, 3, 4, 5)
APART = 0.03


def log_normal(dice, mean, spread):
    return dice.lognormvariate(math.log(mean) - spread * spread / 2, spread)


class Trace:
    """Calls in bursts: (seconds, input, output, client). `calm` and `burst` are rates over the mean."""

    def __init__(self, seed, mean_input, mean_output, calm, burst, heavy=False):
        dice = random.Random(seed)
        # An eighth of the time in bursts would be drawn too seldom in so short a trace: they alternate.
        self.calls, at, bursting, until = [], 0.0, False, dice.expovariate(1 / 9)
        while at < SECONDS:
            at += dice.expovariate(CALLS_PER_SECOND * (burst if bursting else calm))
            if at >= until:
                at, bursting = until, not bursting
                until += dice.expovariate(1 / (3 if bursting else 9))
                continue
            put = int(min(20_000, max(30, log_normal(dice, mean_input, 0.9))))
            out = int(min(2_000, max(5, log_normal(dice, mean_output, 0.8))))
            client = f"light-{dice.randrange(8)}" if heavy and dice.random() < 0.5 else "heavy" if heavy else "one"
            self.calls.append((at, put, out, client))
        self.minutes = self.calls[-1][0] / 60
        self.tokens = sum(put + BURNDOWN * out for _, put, out, _ in self.calls)

    def write(self, file, max_tokens):
        rows = "".join(f"{at:.4f},{put},{out},{client},{max_tokens}\n" for at, put, out, client in self.calls)
        file.write_text("timestamp,input,output,client,max_tokens\n" + rows)


class OtherProgram:
    """The calls of the plan's other program, drawn as src/plan/foreign.cpp draws them: with dice of its own the
    comparison would be one of bursts. Each is (seconds, input, output)."""

    MASK = (1 << 64) - 1

    def __init__(self, seed, trace, tokens_per_minute):
        n = len(trace.calls)
        mean_input, mean_output = sum(c[1] for c in trace.calls) / n, sum(c[2] for c in trace.calls) / n
        state = 0xCBF29CE484222325 ^ (seed * 0x9E3779B97F4A7C15 & self.MASK)
        for byte in f"foreign {EAST}/{SONNET}".encode():
            state = (state ^ byte) * 0x100000001B3 & self.MASK
        self.state = state
        rate = tokens_per_minute / 60 / (mean_input + BURNDOWN * mean_output)
        self.calls, at, burst, until = [], 0.0, False, self.exponential(24)
        while True:
            after = at + self.exponential(1 / (rate * (2.5 if burst else 0.5)))
            if after >= until:
                at, burst = until, not burst
                until += self.exponential(8 if burst else 24)
                continue
            at = after
            if at >= trace.calls[-1][0]:
                return
            put, out = round(self.log_normal(mean_input)), round(self.log_normal(mean_output))
            self.calls.append((at, put, min(max(out, 1), MAX_TOKENS)))

    def uniform(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & self.MASK
        z = self.state
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & self.MASK
        z = (z ^ z >> 27) * 0x94D049BB133111EB & self.MASK
        return ((z ^ z >> 31) >> 11) * 2.0**-53

    def exponential(self, mean):
        return -mean * math.log1p(-self.uniform())

    def log_normal(self, mean, spread=0.7):
        normal = math.sqrt(-2 * math.log1p(-self.uniform())) * math.cos(2 * math.pi * self.uniform())
        return mean * math.exp(spread * normal - spread * spread / 2)


class Row:
    def __init__(self, name, trace, load, window="sliding", other=0.0, max_tokens=MAX_TOKENS, regions=(EAST,),
                 requests=False, outage=None, **route):
        self.name, self.trace, self.window, self.other = name, trace, window, other
        self.max_tokens, self.regions, self.requests, self.outage, self.route = max_tokens, regions, requests, outage, route
        if requests:
            self.quota = {"requests_per_minute": round(len(trace.calls) / trace.minutes / load)}
        else:
            self.quota = {"tokens_per_minute": round(trace.tokens / trace.minutes / load)}

    def config(self, compression):
        """weir.yaml with weir's own defaults, every time as much faster as the row's world."""

        def ms(seconds):
            return f"{round(1000 * seconds / compression)}ms"

        return {
            "regions": {region: {} for region in self.regions},
            "default_region": EAST,
            "quota_window": ms(60),
            "quotas": [{"model": SONNET, **self.quota}],
            "routes": [{"model": SONNET, "targets": [{"region": region} for region in self.regions],
                        "spill_after": ms(2), "degrade_after": ms(10), **self.route}],
            "queue": {"deadline": ms(55), "max_wait": ms(45)},
            "retry": {"base_delay": ms(0.05), "max_delay": ms(5)},
            "breaker": {"window": ms(10), "open_for": ms(5), "max_open": ms(30)},
        }  # fmt: skip

    def plan(self, folder, seed):
        csv, config = folder / "trace.csv", folder / "plan.yaml"
        self.trace.write(csv, self.max_tokens)
        config.write_text(json.dumps(self.config(1)))
        args = ["plan", "--trace", str(csv), "-c", str(config), "--window", self.window, "--seed", str(seed), "--json"]
        args += ["--estimate-spread", "0.02", "--deadline", f"{PATIENCE}s"]
        args += ["--foreign", str(self.other)] if self.other else []
        args += ["--outage", f"{EAST}:{self.outage[0]}-{self.outage[1]}"] if self.outage else []
        args += ["--count-refusals"] if self.requests else []
        done = command(*args)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)["strategies"][0]

    def start(self, stack, folder):
        settings = {
            "quota_window": f"{60_000 // COMPRESSION}ms",
            "window_kind": {"clock": "fixed", "bucket:60s": "bucket"}.get(self.window, self.window),
            "seed": 1,
            "models": {SONNET: {**self.quota, "output_burndown": BURNDOWN, "time_to_first_token": f"{400 // COMPRESSION}ms",
                                "tokens_per_second": 60 * COMPRESSION}},
        }  # fmt: skip
        self.sim = stack.enter_context(Sim(folder, settings, self.regions))
        config = self.config(COMPRESSION)
        config["regions"] = {r: {"endpoint": f"http://127.0.0.1:{p}"} for r, p in self.sim.ports.items()}
        config.update(workers=1, log={"level": "error", "format": "text"})
        self.weir = stack.enter_context(Gateway(folder, self.sim, config))


class Door:
    """One port, asked over connections that are kept."""

    def __init__(self, port):
        self.port, self.idle = port, []

    async def ask(self, put, out, client, max_tokens):
        """The status of one unstreamed Converse call of about `put` tokens of input."""
        text = f"[[output={out}]] ".ljust(4 * put - 16, "x")
        body = json.dumps(say(text, max_tokens)).encode()
        head = (f"POST /model/{SONNET}/converse HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                f"User-Agent: test app/{client}\r\nAuthorization: Bearer example-secret\r\nContent-Length: {len(body)}\r\n\r\n")  # fmt: skip
        reader, writer = self.idle.pop() if self.idle else await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(head.encode() + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line[15:]) for line in answer.split(b"\r\n") if line.lower().startswith(b"content-length:"))
        await reader.readexactly(length)
        self.idle.append((reader, writer))
        return int(answer[9:12])


async def until(start, seconds):
    await asyncio.sleep(max(0, start + seconds / COMPRESSION - time.monotonic()))


async def play(row, start):
    """What came of each call: whether its whole answer was there in time."""
    door, served = Door(row.weir.port), [False] * len(row.trace.calls)

    async def call(i, at, put, out, client):
        status = await door.ask(put, out, client, row.max_tokens)
        served[i] = status == 200 and time.monotonic() - start <= (at + PATIENCE) / COMPRESSION

    async def other(door, put, out):
        """The AWS article's loop: five tries, 1 s doubling, up to a tenth added."""
        for number in range(5):
            if await door.ask(put, out, "other", MAX_TOKENS) != 429 or number == 4:
                return
            await asyncio.sleep((1 << number) * (1 + 0.1 * random.random()) / COMPRESSION)

    async def send(calls, one):
        running = []
        for i, each in enumerate(calls):
            await until(start, each[0])
            running.append(asyncio.create_task(one(i, *each)))
        await asyncio.gather(*running)

    parts = [send(row.trace.calls, call)]
    if row.other:
        past = Door(row.sim.ports[EAST])
        calls = OtherProgram(PLAN_SEEDS[0], row.trace, row.other * row.quota["tokens_per_minute"]).calls
        parts.append(send(calls, lambda i, at, put, out: other(past, put, out)))
    if row.outage:
        row.sim.fault("unavailable", EAST, 0)
    await asyncio.gather(*parts)
    return served
