"""What weir is for, in figures, over real sockets: beside the AWS article's retry loop on the same calls and the same kind of
quota, and with a Region gone. As in test_agreement.py every time is a tenth of the real one, the rows run side by side, and
the traces are drawn from a seed, which is printed: WEIR_SEED repeats it.
"""

import asyncio
import random
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from harness import EAST, WEST
from test_agreement import BURNDOWN, COMPRESSION, LAG, PATIENCE, SEED, Door, Row, Trace, play, watch

pytestmark = pytest.mark.xdist_group("figures")  # one process: its fixture is long

OUTAGE = (120, 420)


class Loop(Row):
    """The same calls sent straight at Bedrock by the article's loop: five tries, 1 s doubling, up to a tenth added."""

    async def play(self, start):
        door, served = Door(self.sim.ports[EAST]), [False] * len(self.trace.calls)

        async def call(i, at, put, out):
            await asyncio.sleep(max(0, start + at / COMPRESSION - time.monotonic()))
            for number in range(5):
                status = await door.ask(put, out, "loop", self.max_tokens)
                if status != 429:
                    served[i] = status == 200 and time.monotonic() - start <= (at + PATIENCE) / COMPRESSION
                    return
                await asyncio.sleep((1 << number) * (1 + 0.1 * random.random()) / COMPRESSION)

        await asyncio.gather(*(call(i, *each[:3]) for i, each in enumerate(self.trace.calls)))
        return served


def make_rows(seed):
    conversation = Trace(seed + 3, 1150, 210, 0.5, 2.0)
    clients = Trace(seed + 4, 1150, 210, 0.8, 1.4, heavy=True)  # in a burst, too, the light ones alone would fit
    return {
        "sliding": Row("1.1 of the quota, sliding", conversation, 1.1),
        "sliding, loop": Loop("1.1 of the quota, sliding, the loop", conversation, 1.1),
        "clock": Row("1.1 of the quota, clock minute", conversation, 1.1, "clock"),
        "clock, loop": Loop("1.1 of the quota, clock minute, the loop", conversation, 1.1, "clock"),
        "outage": Row("one of two Regions unavailable", conversation, 0.4, regions=(EAST, WEST), outage=OUTAGE),
        "clients": Row("one client sends half of 1.3", clients, 1.3),
        "clients, loop": Loop("one client sends half of 1.3, the loop", clients, 1.3),
    }


async def play_all(rows):
    start = time.monotonic() + 0.5
    lags = []
    watchers = [asyncio.create_task(watch(row, lags)) for row in rows.values()]
    served = await asyncio.gather(
        *(row.play(start) if isinstance(row, Loop) else play(row, start, lags) for row in rows.values())
    )
    for watcher in watchers:
        watcher.cancel()
    return dict(zip(rows, served)), sorted(lags)[len(lags) * 99 // 100]


class Figures:
    def __init__(self, row, served):
        self.row, self.served = row, served
        self.refused = row.sim.truth(key="throttled_tokens")
        self.faulted = row.sim.truth(region=EAST, key="faulted")

    def share(self, wanted=lambda call: True, weight=lambda call: 1):
        pairs = [(weight(call), got) for call, got in zip(self.row.trace.calls, self.served) if wanted(call)]
        return sum(w for w, got in pairs if got) / sum(w for w, _ in pairs)

    def tokens(self):
        return self.share(weight=lambda call: call[1] + BURNDOWN * call[2])

    def light(self):
        return self.share(wanted=lambda call: call[3].startswith("light"))

    def refusals(self):
        """For each call that was served."""
        return self.refused / sum(self.served)


@pytest.fixture(scope="module")
def figures():
    print(f"WEIR_SEED={SEED}")
    rows = make_rows(SEED)
    with tempfile.TemporaryDirectory(prefix="weir-e2e-") as folder, ExitStack() as stack:
        for name, row in rows.items():
            place = Path(folder) / name.replace(", ", "-")
            place.mkdir()
            row.start(stack, place)
        served, lag = asyncio.run(play_all(rows))
        if lag > LAG:
            pytest.skip(f"this machine could not keep up: a hundredth of all steps came {1000 * lag:.0f} ms late or later")
        found = {name: Figures(rows[name], served[name]) for name in rows}
    for name, one in found.items():
        print(f"{one.row.name}: calls {100 * one.share():.1f} %, tokens {100 * one.tokens():.1f} %, "
              f"refusals a success {one.refusals():.4f}")  # fmt: skip
    return found


@pytest.mark.parametrize("window", ["sliding", "clock"])
def test_at_a_tenth_over_the_quota_hardly_a_call_is_refused(figures, window):
    weir, loop = figures[window], figures[f"{window}, loop"]
    assert weir.refusals() <= 0.02 < loop.refusals()
    assert weir.tokens() >= loop.tokens() - 0.01


def test_with_one_of_two_regions_gone_calls_are_served(figures):
    outage = figures["outage"]
    meanwhile = [OUTAGE[0] <= call[0] < OUTAGE[1] for call in outage.row.trace.calls]
    dead = outage.faulted / sum(meanwhile)
    share = outage.share(wanted=lambda call: OUTAGE[0] <= call[0] < OUTAGE[1])
    print(f"while one of two Regions is gone: {100 * share:.2f} % of calls served, {100 * dead:.1f} % sent there")
    assert share >= 0.995
    assert dead <= 0.05


def test_light_clients_are_served_beside_a_heavy_one(figures):
    weir, loop = figures["clients"].light(), figures["clients, loop"].light()
    print(f"light clients' calls: {100 * weir:.1f} % served, {100 * loop:.1f} % by the loop")
    assert weir >= 0.97
    assert weir > loop
