"""What it costs to see what happens: a gateway that tells all, beside one that tells nothing, under the same load at the same time."""
import os
import socket
import threading

from rig import ANSWER, REQUEST, UPSTREAM, Run, at_once, free_port, pace, processor_seconds, resident, start_weir, wait_for

OFF = "explain: {{memory: 0B}}\nlog: {{sample: 0}}\n"
ON = """otlp: {{endpoint: "http://127.0.0.1:{collector}", sample: 0.01, metrics_every: 10s}}
clients: [{{name: app, budget: {{per_day: 1000000}}}}]
"""
SECONDS = 10  # of a round: what goes by the clock comes once in it
WARM_UP = 2
ROUNDS = 4  # of the same processes


def listen(port):
    """As the page does, until weir ends."""
    page = socket.create_connection(("127.0.0.1", port))
    page.sendall(b"GET /events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")

    def read():
        while page.recv(1 << 16):
            pass

    threading.Thread(target=read, daemon=True).start()


def seeing(run, build, weir, rate, rounds):
    """Explanations, access log, page, traces of 1 %, metrics by OTLP and a budget; none of them; or the first two, as by default.

    All share one core, which has nothing else to do: what disturbs one disturbs the others. They are started anew every few rounds,
    for a process keeps the luck of where its memory lies."""
    to = free_port()
    cores = sorted(os.sched_getaffinity(0))
    theirs, others = set(cores[:1]), set(cores[1:] or cores)
    os.sched_setaffinity(0, others)
    run.nginx("up", UPSTREAM, upstream=to, also_secure="", answer=ANSWER)
    wait_for(to)
    body = run.write("body.json", REQUEST)
    configurations = {name: more.format(collector=to) for name, more in (("off", OFF), ("default", ""), ("on", ON))}
    cost = {name: [] for name in configurations}
    memory = {}

    while len(cost["off"]) < rounds:
        with Run(run.folder) as some:
            os.sched_setaffinity(0, theirs)  # what is started has it too
            gateways = {name: start_weir(some, weir, name, to, more) for name, more in configurations.items()}
            os.sched_setaffinity(0, others)
            listen(gateways["on"][1])

            def load(name, seconds=SECONDS):
                port, _, child = gateways[name]
                before = processor_seconds(child.pid)
                requests = pace(build, port, body, rate, seconds)[0]
                return (processor_seconds(child.pid) - before) / requests * 1e6

            at_once(lambda name: load(name, WARM_UP), gateways)
            for _ in range(min(ROUNDS, rounds - len(cost["off"]))):
                at_once(lambda name: cost[name].append(load(name)), gateways)
            memory = {name: max(memory.get(name, 0), resident(child.pid)) for name, (_, _, child) in gateways.items()}
    os.sched_setaffinity(0, cores)
    return {
        "microseconds": cost,
        "to_off": [on / off for on, off in zip(cost["on"], cost["off"])],
        "to_default": [on / default for on, default in zip(cost["on"], cost["default"])],
        "resident_bytes": memory,
        "memory_bytes": memory["on"] - memory["off"],
    }
