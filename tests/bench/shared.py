"""What sharing one quota costs: four gateways whose books a Redis on loopback keeps, beside four that count alone, under the same load in turn."""
import re
import shutil
import statistics
import subprocess

from rig import ANSWER, REQUEST, UPSTREAM, Unavailable, at_once, free_port, pace, processor_seconds, start_weir, wait_for

INSTANCES = 4


def redis(run):
    """(port, process) of a server that keeps nothing on disk."""
    if not shutil.which("redis-server"):
        raise Unavailable("redis-server is not here")
    port = free_port()
    child = run.start("redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(run.folder))
    wait_for(port)
    return port, child


def commands(port):
    """Scripts that the server has run."""
    said = subprocess.run(["redis-cli", "-p", str(port), "INFO", "commandstats"], capture_output=True, text=True, check=True).stdout
    return sum(int(calls) for calls in re.findall(r"cmdstat_eval(?:sha)?:calls=(\d+)", said))


def _load(build, gateways, body, rate, seconds):
    """So many requests a second in all: (processor seconds, requests, p50 and p99 in microseconds, each the mean over the gateways)."""
    results = []

    def one(port):
        results.append(pace(build, port, body, rate // len(gateways), seconds))

    before = sum(processor_seconds(child.pid) for _, _, child in gateways)
    at_once(one, [port for port, _, _ in gateways])
    used = sum(processor_seconds(child.pid) for _, _, child in gateways) - before
    return used, sum(r[0] for r in results), *(statistics.mean(r[2][p] for r in results) for p in ("50", "99"))


def shared(run, build, weir, rate, seconds, rounds):
    to = free_port()
    run.nginx("up", UPSTREAM, upstream=to, also_secure="", answer=ANSWER)
    wait_for(to)
    store, store_child = redis(run)
    books = f'shared: {{url: "redis://127.0.0.1:{store}"}}\n'
    gateways = {name: [start_weir(run, weir, f"{name}{i}", to, more) for i in range(INSTANCES)] for name, more in (("alone", ""), ("shared", books))}
    body = run.write("body.json", REQUEST)
    cost = {name: [] for name in gateways}
    at = {name: {"50": [], "99": []} for name in gateways}
    sent, asked, store_seconds = 0, 0, 0.0
    for turn in range(rounds + 1):  # the first is for warming up
        for name in sorted(gateways, reverse=turn % 2 == 1):
            before, spent = commands(store), processor_seconds(store_child.pid)
            used, requests, p50, p99 = _load(build, gateways[name], body, rate, seconds)
            if turn == 0:
                continue
            cost[name].append(used / requests * 1e6)
            at[name]["50"].append(p50)
            at[name]["99"].append(p99)
            if name == "shared":
                sent += requests
                asked += commands(store) - before
                store_seconds += processor_seconds(store_child.pid) - spent
    return {
        "microseconds": cost,
        "requests_a_second": sent / (rounds * seconds),
        "latency_us": at,
        "above_alone_us": {p: [s - a for s, a in zip(at["shared"][p], at["alone"][p])] for p in ("50", "99")},
        "to_alone": [s / a for s, a in zip(cost["shared"], cost["alone"])],
        "commands_a_request": asked / sent,
        "store_microseconds": store_seconds / sent * 1e6,
    }
