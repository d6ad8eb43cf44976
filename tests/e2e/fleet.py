"""Several instances on one quota, the Redis that keeps their books, and what may come between them."""

import asyncio
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections import deque
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from harness import EAST, SONNET, Crowd, Gateway, ask, free_port, wait_until

WINDOW = 6
LIMIT = 60_000
MAX_TOKENS = 2000
PROMPT = "hello"
# A call holds 2,006 tokens for about 0.55 s and settles at about 205: so many fit a window.
FIT = int(LIMIT / 205 * (WINDOW * 205 / (WINDOW * 205 + 0.55 * 1800)))


def settings(port, clients=None):
    return {
        "routes": [{"model": SONNET, "targets": [{"region": EAST}]}],
        "quota_window": f"{WINDOW}s",
        "queue": {"deadline": "20s", "max_wait": "15s"},
        "quotas": [{"model": SONNET, "tokens_per_minute": LIMIT, "output_burndown": 1}],
        "shared": {"url": f"redis://127.0.0.1:{port}"},
        **({"clients": clients} if clients else {}),
    }



def service(limit):
    return {
        "quota_window": f"{WINDOW}s",
        "models": {"*": {"requests_per_minute": 100_000, "tokens_per_minute": limit, "output_burndown": 1,
                         "time_to_first_token": "50ms", "tokens_per_second": 400, "output_tokens": {"mean": 200, "spread": 0.1}}},
    }


SIM = service(LIMIT)
PATIENT = service(10 * LIMIT)  # refuses nobody: what goes over the limit shows in its history



class Redis:
    def __init__(self):
        self.port, self.folder = free_port(), tempfile.mkdtemp()
        self.process = None

    def start(self):
        self.process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
             "--dir", self.folder], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: self.run("PING") == "PONG", 10, "redis")

    def run(self, *words):
        done = subprocess.run(["redis-cli", "-p", str(self.port), *words], capture_output=True, text=True, timeout=10, check=False)
        return done.stdout.strip()

    def kill(self, how=signal.SIGKILL):
        self.process.send_signal(how)
        if how == signal.SIGKILL:
            self.process.wait(10)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait(10)
        shutil.rmtree(self.folder, ignore_errors=True)


class Link:
    """A connection to a store that can be slow, silent, cut or garbled. From entering to leaving the context."""

    def __init__(self, port):
        self.to, self.port = port, free_port()
        self.delay, self.silent, self.closed, self.garbled = 0, False, False, False
        self.loop = asyncio.new_event_loop()
        self.writers = set()

    def cut(self):
        """Ends what there is and refuses what comes, until mend()."""
        self.closed = True
        self._close_all()

    def hush(self):
        """Nothing passes any more, and nobody is told."""
        self.silent = True

    def garble(self):
        self.garbled = True

    def switch(self, port):
        """As a name that leads to another server from now on."""
        self.to = port
        self._close_all()

    def mend(self):
        self.delay, self.closed, self.garbled = 0, False, False
        if self.silent:  # what was lost on the way does not come any more
            self.silent = False
            self._close_all()

    def _close_all(self):
        def close():
            for writer in list(self.writers):
                writer.transport.abort()

        self.loop.call_soon_threadsafe(close)

    async def _serve(self, reader, writer):
        self.writers.add(writer)
        try:
            if self.closed:
                return
            there, back = await asyncio.open_connection("127.0.0.1", self.to)
            self.writers.add(back)
            try:
                await asyncio.gather(self._pass(reader, back), self._pass(there, writer, True))
            finally:
                self.writers.discard(back)
                back.transport.abort()
        except OSError:
            pass
        finally:
            self.writers.discard(writer)
            writer.transport.abort()

    async def _pass(self, reader, writer, answers=False):
        while data := await reader.read(65536):
            if self.delay:
                await asyncio.sleep(self.delay)
            if self.silent:
                continue
            writer.write(bytes(b ^ 0x55 for b in data) if answers and self.garbled else data)
        raise ConnectionResetError

    def _run(self):
        asyncio.set_event_loop(self.loop)
        self.loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", self.port))
        self.loop.run_forever()
        rest = asyncio.all_tasks(self.loop)
        for task in rest:
            task.cancel()
        self.loop.run_until_complete(asyncio.gather(*rest, return_exceptions=True))

    def __enter__(self):
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(5)


class History:
    """The use of a quota in every window of `length`, computed from what the service charged each call and when: a call holds its
    reservation from its beginning; when it settles, less is given back where it was held, and more counts from then on."""

    def __init__(self, calls, length):
        events = []
        for number, call in enumerate(calls):
            if call["refused"]:
                continue
            events.append((call["at"], 0, number, call["held"]))
            if "settled_at" in call:
                events.append((call["settled_at"], 1, number, call["cost"]))
        self.uses = []  # (when, use), after each event
        held, entries, used = {}, deque(), 0
        for at, kind, number, amount in sorted(events):
            while entries and entries[0][0] + length <= at:
                used -= entries.popleft()[1]
            entry = held.get(number)
            if kind == 0 or amount > entry[1]:
                more = [at, amount - (entry[1] if entry else 0)]
                held.setdefault(number, more)
                entries.append(more)
                used += more[1]
            elif entry[0] + length > at:
                used -= entry[1] - amount
                entry[1] = amount
            self.uses.append((at, used))

    def most(self, since=0):
        return max(use for at, use in self.uses if at >= since)


class Fleet:
    """Instances beside the first one of a stack, all on the same simulator."""

    def __init__(self, start, redis, count, clients=None, sim=None, links=None, settings_of=lambda number: {}):
        """`links`: each instance reaches the store by its own of these. `settings_of`: further ones, by number from 0."""
        self.others = ExitStack()
        ports = [store.port for store in links or [redis] * count]
        of_each = [{**settings(port, clients), **settings_of(number)} for number, port in enumerate(ports)]
        self.stack = start(regions=(EAST,), weir=of_each[0], sim=sim or SIM)
        self.sim = self.stack.sim
        self.all = [self.stack.weir]
        for number in range(1, count):
            folder = Path(self.stack.folder) / f"instance{number}"
            folder.mkdir()
            self.all.append(self.others.enter_context(Gateway(folder, self.sim, of_each[number])))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.others.close()

    def refusals(self):
        return self.sim.truth(key="throttled_tokens") + self.sim.truth(key="throttled_requests")

    def history(self):
        return History(ask(self.sim.admin, "GET", "/history").json()[EAST], WINDOW)

    def accepted(self):
        return self.sim.truth(key="accepted")

    def modes(self):
        return [q["mode"] for weir in self.all if weir.popen.poll() is None for q in weir.status()["shared"]]


class Callers(Crowd):
    """They ask again as soon as they are told anything. A connection that is refused or cut is no failure of a call."""

    def __init__(self, weirs, each, client=None):
        super().__init__([partial(self._run, weir) for weir in weirs for _ in range(each)])
        self.good, self.bad, self.waits = 0, [], []
        self.headers = {"x-weir-client": client} if client else {}

    def _run(self, weir):
        while not self.stopping.is_set():
            begin = time.monotonic()
            try:
                reply = weir.converse(PROMPT, max_tokens=MAX_TOKENS, timeout=30, headers=self.headers)
            except OSError:
                time.sleep(0.1)
                continue
            with self.lock:
                if reply.status == 200:
                    self.good += 1
                    self.waits.append(time.monotonic() - begin)
                else:
                    self.bad.append((reply.status, reply.body[:200]))
