"""What it costs to see what happens: a gateway that tells all, beside one that tells nothing, under the same load at the same time."""
import socket
import threading

from rig import ANSWER, REQUEST, UPSTREAM, at_once, free_port, pace, processor_seconds, resident, start_weir, wait_for

OFF = "explain: {{memory: 0B}}\nlog: {{sample: 0}}\n"
ON = """otlp: {{endpoint: "http://127.0.0.1:{collector}", sample: 0.01, metrics_every: 10s}}
clients: [{{name: app, budget: {{per_day: 1000000}}}}]
"""
SECONDS = 10  # of a round: what goes by the clock comes once in it


def listen(port):
    """As the page does, until weir ends."""
    page = socket.create_connection(("127.0.0.1", port))
    page.sendall(b"GET /events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")

    def read():
        while page.recv(1 << 16):
            pass

    threading.Thread(target=read, daemon=True).start()


def seeing(run, build, weir, rate, rounds):
    """Explanations, access log, page, traces of 1 %, metrics by OTLP and a budget; none of them; or the first two, as by default."""
    to = free_port()
    run.nginx("up", UPSTREAM, upstream=to, also_secure="", answer=ANSWER)
    wait_for(to)
    gateways = {name: start_weir(run, weir, name, to, more.format(collector=to)) for name, more in (("off", OFF), ("default", ""), ("on", ON))}
    listen(gateways["on"][1])
    body = run.write("body.json", REQUEST)
    cost = {name: [] for name in gateways}

    for turn in range(rounds + 1):  # the first is for warming up
        def load(name, counts=turn > 0):
            port, _, child = gateways[name]
            before = processor_seconds(child.pid)
            requests = pace(build, port, body, rate, SECONDS)[0]
            if counts:
                cost[name].append((processor_seconds(child.pid) - before) / requests * 1e6)

        at_once(load, gateways)
    memory = {name: resident(child.pid) for name, (_, _, child) in gateways.items()}
    return {
        "microseconds": cost,
        "to_off": [on / off for on, off in zip(cost["on"], cost["off"])],
        "to_default": [on / default for on, default in zip(cost["on"], cost["default"])],
        "resident_bytes": memory,
        "memory_bytes": memory["on"] - memory["off"],
    }
