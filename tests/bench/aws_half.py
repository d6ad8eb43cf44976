"""What metrics, incidents and quotas at AWS cost a busy gateway: beside the same gateway without them, under the same load at the same time."""
import http.client
import pathlib

from rig import ANSWER, FIELDS, REQUEST, UPSTREAM, at_once, free_port, pace, resident, start_weir, wait_for

# Every service of AWS in one: no quota, no profile, and thanks for the data.
AWS = """
  server {{ listen 127.0.0.1:{aws}; location / {{ default_type application/json;
    return 200 '{{"Quotas": [], "inferenceProfileSummaries": []}}'; }} }}
"""
ON = """
aws:
  endpoint: http://127.0.0.1:{aws}
  read_quotas: true
  metrics: {{to: cloudwatch}}
  incidents: {{topic: "arn:aws:sns:us-east-1:123456789012:pager"}}
"""
CLIENTS, MODELS = 20, 10


def thread_seconds(pid):
    """Processor time of each thread, by its number."""
    found = {}
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        try:
            found[task.name] = int((task / "schedstat").read_text().split()[0]) / 1e9
        except OSError:
            continue
    return found


def _vary(port):
    """Series as a busy gateway has them: clients and models."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    for client in range(CLIENTS):
        for model in range(MODELS):
            path = f"/model/us.amazon.nova-lite-v{model}%3A0/converse"
            connection.request("POST", path, body=REQUEST, headers={**FIELDS, "x-weir-client": f"client-{client}"})
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 200, answer.status
    connection.close()


def _sent(admin):
    connection = http.client.HTTPConnection("127.0.0.1", admin, timeout=10)
    connection.request("GET", "/metrics")
    for line in connection.getresponse().read().decode().splitlines():
        if line.startswith('weir_cloudwatch_data_total{result="sent"}'):
            return float(line.split()[1])
    return 0.0


def aws_half(run, build, weir, rate, seconds):
    """More than a minute, because that is how often metrics go out."""
    to, aws = free_port(), free_port()
    run.nginx("up", UPSTREAM + AWS, upstream=to, aws=aws, also_secure="", answer=ANSWER)
    wait_for(to)
    gateways = {"off": start_weir(run, weir, "off", to, ""), "on": start_weir(run, weir, "on", to, ON.format(aws=aws))}
    for port, _, _ in gateways.values():
        _vary(port)
    body = run.write("body.json", REQUEST)
    before = {name: thread_seconds(child.pid) for name, (_, _, child) in gateways.items()}
    requests = {}

    def load(name):
        requests[name] = pace(build, gateways[name][0], body, rate, seconds)[0]

    at_once(load, gateways)
    used = {}
    for name, (_, _, child) in gateways.items():
        spent = [at - before[name].get(task, 0.0) for task, at in thread_seconds(child.pid).items()]
        # One worker serves the requests; what the other threads take is done beside them.
        used[name] = {"all": sum(spent), "beside": sum(spent) - max(spent)}
    memory = {name: resident(child.pid) for name, (_, _, child) in gateways.items()}
    return {
        "seconds": seconds,
        "requests": requests,
        "data_sent": _sent(gateways["on"][1]),
        "microseconds": {name: used[name]["all"] / requests[name] * 1e6 for name in gateways},
        "share": max(0.0, used["on"]["beside"] - used["off"]["beside"]) / used["on"]["all"],
        "memory_bytes": memory["on"] - memory["off"],
        "resident_bytes": memory,
    }
