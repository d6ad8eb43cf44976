"""What it costs to see what happens: a gateway that tells all, beside one that tells nothing, under the same load at the same time."""
import contextlib
import os
import socket
import threading

from rig import ANSWER, REQUEST, UPSTREAM, Run, at_once, free_port, pace, processor_seconds, resident, start_weir, wait_for

OFF = "explain: {{memory: 0B}}\nlog: {{sample: 0}}\n"
ON = """otlp: {{endpoint: "http://127.0.0.1:{collector}", sample: 0.01, metrics_every: 10s}}
clients: [{{name: app, budget: {{per_day: 1000000}}}}]
"""
CLIENT = "app"  # whose calls they are
SECONDS = 10  # of a round: what goes by the clock comes once in it
WARM_UP = 2
ROUNDS = 4  # of the same processes


@contextlib.contextmanager
def on(cores):
    """What is started meanwhile runs on these."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def listen(port):
    """As the page does, until weir ends."""
    page = socket.create_connection(("127.0.0.1", port))
    page.sendall(b"GET /events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")

    def read():
        with contextlib.suppress(OSError):
            while page.recv(1 << 16):
                pass

    threading.Thread(target=read, daemon=True).start()


def seeing(run, build, weir, rate, rounds):
    """Explanations, access log, page, traces of 1 %, metrics by OTLP and a budget; none of them; or the first two, as by default.

    All share one core, which has nothing else to do: what disturbs one disturbs the others. They are started anew every few rounds,
    for a process keeps the luck of where its memory lies."""
    cores = sorted(os.sched_getaffinity(0))
    theirs, others = set(cores[:1]), set(cores[1:] or cores)
    cost = {"off": [], "default": [], "on": []}
    memory = dict.fromkeys(cost, 0)
    to = free_port()
    more = {"off": OFF, "default": "", "on": ON}
    with on(others):
        run.nginx("up", UPSTREAM, upstream=to, also_secure="", answer=ANSWER)
        wait_for(to)
        body = run.write("body.json", REQUEST)
        while (left := rounds - len(cost["off"])) > 0:
            with Run(run.folder) as some:
                with on(theirs):
                    gateways = {name: start_weir(some, weir, name, to, more[name].format(collector=to)) for name in cost}
                listen(gateways["on"][1])

                def load(name, seconds=SECONDS):
                    port, _, child = gateways[name]
                    before = processor_seconds(child.pid)
                    requests = pace(build, port, body, rate, seconds, CLIENT)[0]
                    return (processor_seconds(child.pid) - before) / requests * 1e6

                at_once(lambda name: load(name, WARM_UP), cost)
                for _ in range(min(ROUNDS, left)):
                    at_once(lambda name: cost[name].append(load(name)), cost)
                memory = {name: max(memory[name], resident(child.pid)) for name, (_, _, child) in gateways.items()}
    return {"microseconds": cost, "resident_bytes": memory, "memory_bytes": memory["on"] - memory["off"]}
