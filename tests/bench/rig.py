"""What the measurements stand on: processes, ports, /proc, the load generators and the proxies' configurations."""
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

MODEL = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
PATH = f"/model/{MODEL.replace(':', '%3A')}/converse"
REQUEST = json.dumps({"messages": [{"role": "user", "content": [{"text": "word " * 280}]}], "inferenceConfig": {"maxTokens": 500}})
ANSWER = json.dumps({"output": {"message": {"role": "assistant", "content": [{"text": "x" * 850}]}},
                     "stopReason": "end_turn", "usage": {"inputTokens": 300, "outputTokens": 200, "totalTokens": 500},
                     "metrics": {"latencyMs": 5}})
# The simulator takes its secret as a bearer key from a proxy that does not sign.
FIELDS = {"Content-Type": "application/json", "Authorization": "Bearer example"}

HTTP = "access_log off; keepalive_requests 100000000; keepalive_timeout 300s; client_max_body_size 8m; client_body_buffer_size 64k;"
NGINX = """
worker_processes 1; worker_rlimit_nofile {files}; daemon off; pid {dir}/{name}.pid; error_log {dir}/{name}.err;
events {{ worker_connections {connections}; }}
http {{ {http} {rest} }}
"""
UPSTREAM = """
  server {{ listen 127.0.0.1:{upstream} backlog=4096; {also_secure} location / {{ default_type application/json; return 200 '{answer}'; }} }}
"""
SECURE = """listen 127.0.0.1:{secure} ssl backlog=4096; ssl_certificate {dir}/cert.pem; ssl_certificate_key {dir}/key.pem;"""
PROXY = """
  upstream up {{ server 127.0.0.1:{to}; keepalive 256; keepalive_requests 100000000; }}
  server {{ listen 127.0.0.1:{proxy}{nginx_listen} backlog=4096; {nginx_tls}
    location / {{ proxy_pass {scheme}://up; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering {buffering};
      proxy_ssl_verify on; proxy_ssl_trusted_certificate {dir}/cert.pem; proxy_ssl_name localhost; proxy_ssl_server_name on; }} }}
"""
HAPROXY = """
global
  nbthread 1
  maxconn 4096
defaults
  mode http
  timeout connect 5s
  timeout client 300s
  timeout server 300s
  http-reuse always
frontend in
  bind 127.0.0.1:{haproxy} {haproxy_bind}
  default_backend up
backend up
  server up 127.0.0.1:{to} {haproxy_tls}
"""
WEIR = """
listen: 127.0.0.1:{weir}
admin: 127.0.0.1:{admin}
workers: {workers}
{weir_listen}
pool: {{max_connections: 20000}}
regions: {{us-east-1: {{endpoint: "{scheme}://localhost:{to}"{weir_tls}}}}}
default_region: us-east-1
credentials: {{source: static, access_key_id: AKIDEXAMPLE, secret_access_key: example}}
quotas: [{{model: "{model}", requests_per_minute: 100000000, tokens_per_minute: 1000000000000}}]
"""
SIM = """
regions: {{us-east-1: 127.0.0.1:{upstream}}}
models: {{"*": {{time_to_first_token: 10ms, tokens_per_second: {rate}, output_tokens: {{mean: {mean}, spread: 0}}}}}}
credentials: {{access_key_id: AKIDEXAMPLE, secret_access_key: example}}
"""


class Unavailable(Exception):
    """What a measurement needs is not here; it is left out, and why is said."""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(port, seconds=10.0):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    sys.exit(f"nothing listens on {port}")


def processor_seconds(pid):
    """Of the process and of all it started that still run, to the nanosecond (/proc counts in hundredths of a second)."""
    parents = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except OSError:
                continue

    def under(child):
        while child not in (0, pid):
            child = parents.get(child, 0)
        return child == pid

    total = 0.0
    for child in filter(under, parents):
        try:
            total += time.clock_gettime(~child << 3 | 2)  # clock_getcpuclockid(3), which Python lacks
        except OSError:
            continue
    return total


def resident(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0


class Run:
    """The processes and files of one measurement. As a context, ends what it started."""

    def __init__(self, folder):
        self.folder = folder
        self.children = []
        self.certificate = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for child in self.children:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)  # and its workers: nginx's outlive their master
            child.wait()
        self.children.clear()

    def start(self, *command, **more):
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=open(self.folder / "stderr", "ab"),
                                 start_new_session=True, **more)
        self.children.append(child)
        return child

    def write(self, name, text):
        path = self.folder / name
        path.write_text(text)
        return str(path)

    def nginx(self, name, rest, **fill):
        conf = NGINX.format(dir=self.folder, name=name, http=HTTP, rest=rest.format(dir=self.folder, **fill), files=20000, connections=19000)
        return self.start("nginx", "-p", str(self.folder), "-c", self.write(f"{name}.conf", conf))

    def make_certificate(self):
        if not self.certificate:
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                            "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
                            "-keyout", self.folder / "key.pem", "-out", self.folder / "cert.pem"], check=True, capture_output=True)
            both = (self.folder / "cert.pem").read_text() + (self.folder / "key.pem").read_text()
            self.write("both.pem", both)
            self.certificate = True

    def sim(self, weir, rate, mean):
        port = free_port()
        self.start(weir, "sim", "-c", self.write("sim.yaml", SIM.format(upstream=port, rate=rate, mean=mean)))
        wait_for(port)
        return port

    def weir(self, weir, to, secure_upstream=False, secure_client=False, workers=1, model=MODEL):
        """(port, process) of a `weir serve`."""
        port = free_port()
        client = f'tls: {{certificate: "{self.folder}/cert.pem", key: "{self.folder}/key.pem"}}' if secure_client else ""
        upstream = f', ca: "{self.folder}/cert.pem"' if secure_upstream else ""
        conf = WEIR.format(weir=port, admin=free_port(), workers=workers, weir_listen=client, weir_tls=upstream,
                           scheme="https" if secure_upstream else "http", to=to, model=model)
        child = self.start(weir, "serve", "-c", self.write("weir.yaml", conf))
        wait_for(port)
        return port, child

    def proxies(self, weir, secure=False, secure_client=False, http2=False, stream_upstream=None):
        """Starts what is compared, before one upstream; {name: (port, process)}. "direct" is that upstream."""
        if secure or secure_client:
            self.make_certificate()
        ports = {name: free_port() for name in ("upstream", "secure", "proxy", "haproxy")}
        found = {}
        to = stream_upstream
        if to is None:
            to = ports["secure" if secure else "upstream"]
            also = SECURE.format(dir=self.folder, **ports) if secure else ""
            found["direct"] = (to, self.nginx("up", UPSTREAM, also_secure=also, answer=ANSWER, **ports))
            wait_for(to)
        pem = f"{self.folder}/cert.pem"
        fill = {**ports, "to": to, "scheme": "https" if secure else "http", "buffering": "off" if stream_upstream else "on",
                "nginx_listen": (" ssl" if secure_client else "") + (" http2" if http2 else ""),
                "nginx_tls": f"ssl_certificate {pem}; ssl_certificate_key {self.folder}/key.pem;" if secure_client else ""}
        found["nginx"] = (ports["proxy"], self.nginx("px", PROXY, **fill))
        if shutil.which("haproxy", path=os.environ["PATH"] + ":/usr/sbin"):
            conf = HAPROXY.format(
                haproxy_bind=(f"ssl crt {self.folder}/both.pem" if secure_client else "") + (" proto h2" if http2 else ""),
                haproxy_tls=f"ssl verify required ca-file {pem} sni str(localhost) verifyhost localhost" if secure else "", **fill)
            found["haproxy"] = (ports["haproxy"], self.start("haproxy", "-db", "-f", self.write("ha.cfg", conf)))
        found["weir"] = self.weir(weir, to, secure, secure_client)
        for port, _ in found.values():
            wait_for(port)
        return found


def lua(run, body, fields):
    lines = ["wrk.method='POST'", f"wrk.body=[[{body}]]"] + [f"wrk.headers['{name}']='{value}'" for name, value in fields.items()]
    return run.write("post.lua", "\n".join(lines) + "\n")


def wrk(port, script, seconds, path=PATH, connections=32, scheme="http"):
    """(requests, requests a second, {"50": microseconds, "99": ...})."""
    out = subprocess.run(
        ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", script, f"{scheme}://127.0.0.1:{port}{path}"],
        capture_output=True, text=True, check=True).stdout
    requests = int(re.search(r"(\d+) requests in", out).group(1))
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1))
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", out)
    if bad or requests == 0:
        sys.exit(f"answers were not 200: {out}")
    unit = {"us": 1.0, "ms": 1e3, "s": 1e6}
    return requests, rate, {p: float(v) * unit[u] for p, v, u in re.findall(r"(50|99)%\s+([\d.]+)(us|ms|s)\b", out)}


def h2load(port, body, seconds):
    """The same over HTTP/2: four connections of eight streams."""
    fields = [part for name, value in FIELDS.items() for part in ("-H", f"{name}: {value}")]
    out = subprocess.run(["h2load", "-t1", "-c4", "-m8", f"-D{seconds}", "-d", body, *fields, f"http://127.0.0.1:{port}{PATH}"],
                         capture_output=True, text=True, check=True).stdout
    good = int(re.search(r"status codes: (\d+) 2xx, 0 3xx, 0 4xx, 0 5xx", out).group(1)) if "0 3xx, 0 4xx, 0 5xx" in out else 0
    if good == 0:
        sys.exit(f"answers were not 200: {out}")
    return good, good / seconds, {}


def at_once(work, those):
    """work(one) for each of `those`, all at the same time."""
    failed = []

    def do(one):
        try:
            work(one)
        except (SystemExit, OSError) as why:
            failed.append(f"{one}: {why}")

    threads = [threading.Thread(target=do, args=(one,)) for one in those]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise Unavailable("; ".join(failed))


def start_weir(run, weir, name, to, more=""):
    """(port, admin port, process) of a weir with one worker before the plain upstream at port `to`; `more`: of its configuration."""
    port, admin = free_port(), free_port()
    text = WEIR.format(weir=port, admin=admin, workers=1, weir_listen="", weir_tls="", scheme="http", to=to, model=MODEL)
    child = run.start(weir, "serve", "-c", run.write(f"{name}.yaml", text + more))
    wait_for(port)
    return port, admin, child


def pace(build, port, body, rate, seconds, client=""):
    """At a constant rate, as weir's `client` if one is named."""
    fields = [f"{name}: {value}" for name, value in FIELDS.items()] + ([f"x-weir-client: {client}"] if client else [])
    out = subprocess.run([str(build / "tests/bench/pace"), str(port), PATH, str(rate), str(seconds), body, *fields],
                         capture_output=True, text=True, check=False)
    if out.returncode != 0:
        sys.exit(out.stderr)
    result = json.loads(out.stdout)
    return result["requests"], result["requests"] / seconds, {"50": result["p50_us"], "99": result["p99_us"]}
