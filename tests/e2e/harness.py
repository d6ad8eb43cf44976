"""Starts `weir sim` and `weir serve` with files of their own, asks them things, and leaves nothing behind."""

import http.client
import json
import os
import random
import re
import signal
import socket
import subprocess
import tempfile
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import boto3
from botocore.config import Config
from jsonschema import Draft202012Validator

ROOT = Path(__file__).parent.parent.parent
WEIR = os.environ.get("WEIR_EXE", "weir")
EAST, WEST = "us-east-1", "us-west-2"
SONNET = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
HAIKU = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
NOVA = "us.amazon.nova-lite-v1:0"
TITAN = "amazon.titan-text-premier-v1:0"
LLAMA = "us.meta.llama3-3-70b-instruct-v1:0"
MISTRAL = "mistral.mistral-large-2407-v1:0"
SECRET = "example-secret"

ROOMY = {
    "requests_per_minute": 1_000_000,
    "tokens_per_minute": 1_000_000_000,
    "output_burndown": 5,
    "time_to_first_token": "20ms",
    "tokens_per_second": 2000,
    "output_tokens": {"mean": 20, "spread": 0.1},
}


def sanitized():
    """Whether weir is the build of a sanitizer, whose runtime changes what some tests look at."""
    program = Path(WEIR).read_bytes()
    return b"__asan_init" in program or b"__tsan_init" in program


_given = set()
# Several pytest processes draw from ports of their own.
_PROCESSES = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
_PORTS = 20_000 // _PROCESSES
_FIRST_PORT = 12_000 + _PORTS * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])


def free_port():
    """Below the ports that the kernel gives to connections, or one of those may have it before it is listened on; and never the same
    twice, for whoever was given it may not listen yet."""
    while True:
        port = random.randrange(_FIRST_PORT, _FIRST_PORT + _PORTS)
        if port in _given:
            continue
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
        _given.add(port)
        return port


def wait_until(condition, timeout=10, what="the condition"):
    """The first true value of `condition()`, asked every 20 ms."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not come true within {timeout} s")
        time.sleep(0.02)


class Process:
    """A running weir command. Its output goes to files; leaving the context reaps it."""

    def __init__(self, folder, name, args, env=None):
        self.name, self.folder = name, Path(folder)
        self.out, self.err = self.folder / f"{name}.out", self.folder / f"{name}.err"
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "WEIR_"))}
        clean["AWS_EC2_METADATA_DISABLED"] = "true"
        clean.update(env or {})
        self.args, self.env = args, clean
        self._launch("wb")

    def _launch(self, mode):
        with open(self.out, mode) as out, open(self.err, mode) as err:
            self.popen = self.start(self.args, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=self.env)

    def relaunch(self):
        """Killed, and started again as it was."""
        self.popen.kill()
        self.popen.wait(10)
        self._launch("ab")

    def start(self, args, **more):
        return subprocess.Popen([WEIR, *args], **more)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.popen.poll() is None:
            self.popen.kill()
        self.popen.wait(10)

    def signal(self, number):
        self.popen.send_signal(number)

    def log(self):
        return self.err.read_text(errors="replace")

    def check_alive(self):
        code = self.popen.poll()
        assert code is None, f"{self.name} ended with {code}:\n{self.log()}"


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.body = status, body
        self.headers = {k.lower(): v for k, v in headers}

    def json(self):
        return json.loads(self.body)

    @property
    def error(self):
        return self.headers.get("x-amzn-errortype")


def ask(port, method, path, body=None, headers=None, timeout=20):
    """One plain HTTP request on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        if isinstance(body, dict):
            body = json.dumps(body)
        connection.request(method, path, body=body, headers=headers or {})
        response = connection.getresponse()
        return Reply(response.status, response.getheaders(), response.read())
    finally:
        connection.close()


def ask_http2(port, method, path, body=None, headers=None, timeout=20):
    """The same over HTTP/2. An answer that is cut raises ConnectionError."""
    from http2_client import Http2

    if isinstance(body, dict):
        body = json.dumps(body)
    if isinstance(body, str):
        body = body.encode()
    fields = [(name.lower(), value) for name, value in (headers or {}).items()]
    with Http2(port, timeout=timeout) as client:
        answer = client.answer(client.ask(path, body or b"", method, fields))
        if not answer.ended:
            raise ConnectionError(f"the stream was cut: {answer.reset}")
        return Reply(answer.status, answer.headers.items(), answer.body)


SCHEMA = Draft202012Validator(json.loads((ROOT / "docs/access-log.schema.json").read_text()))
COUNTED_AT_THE_END = {"delivered", "input_tokens", "output_tokens", "delivered_tokens"}


class Sim(Process):
    def __init__(self, folder, settings=None, regions=(EAST, WEST)):
        self.ports = {region: free_port() for region in regions}
        self.mantle_ports = {region: free_port() for region in regions}
        self.admin = free_port()
        config = {
            "regions": {r: f"127.0.0.1:{p}" for r, p in self.ports.items()},
            "mantle": {r: f"127.0.0.1:{p}" for r, p in self.mantle_ports.items()},
            "credentials": {"access_key_id": "AKIDEXAMPLE", "secret_access_key": SECRET},
            "admin": f"127.0.0.1:{self.admin}",
            "models": {"*": ROOMY},
        }
        config.update(settings or {})
        self.config, self.file = config, Path(folder) / "sim.yaml"
        self.file.write_text(json.dumps(config, indent=1))
        super().__init__(folder, "sim", ["sim", "-c", str(self.file)])

    def change(self, settings):
        """With these settings on the same ports. What it has counted is forgotten, and calls under way are cut."""
        self.config.update(settings)
        self.file.write_text(json.dumps(self.config, indent=1))
        self.relaunch()
        wait_until(lambda: self._ready(self.admin), what="the simulator's start")

    def __enter__(self):
        try:
            wait_until(lambda: self._ready(self.admin), what="the simulator's start")
        except BaseException:
            self.__exit__()
            raise
        return self

    def _ready(self, port):
        self.check_alive()
        try:
            return ask(port, "GET", "/truth").status == 200
        except OSError:
            return False

    def truth(self, region=None, model=None, key=None):
        """The simulator's counts, summed over what is not named.

        Some are counted when a call has ended, which is a moment after its last byte was read here: these are
        asked for until no call is in flight, for a while at most."""
        end = time.monotonic() + 3
        while True:
            truth = ask(self.admin, "GET", "/truth").json()
            if key is None:
                return truth
            counts = [
                counts
                for r, models in truth.items()
                for m, counts in models.items()
                if region in (None, r) and model in (None, m)
            ]
            ended = key not in COUNTED_AT_THE_END or not any(one["in_flight"] for one in counts)
            if ended or time.monotonic() > end:
                return sum(one[key] for one in counts)
            time.sleep(0.02)

    def arrived(self, region=None, model=None):
        """Grows by one with every inference call that reaches the simulator."""
        keys = ("accepted", "throttled_requests", "throttled_tokens", "throttled_daily", "faulted")
        return sum(self.truth(region, model, key) for key in keys)

    def fault(self, kind, region=None, seconds=3600, probability=1.0, model=None):
        fault = {"kind": kind, "from": 0, "to": seconds, "relative": True, "probability": probability}
        if region:
            fault["region"] = region
        if model:
            fault["model"] = model
        reply = ask(self.admin, "POST", "/faults", fault)
        assert reply.status == 200, reply.body

    def heal(self):
        assert ask(self.admin, "DELETE", "/faults").status == 200


def hold_against_the_schema(lines):
    """The access log is what docs/access-log.schema.json says: the members of every line, all of some hundred."""
    lines = [line for line in lines if "_aws" not in line]  # metrics may be among them
    for line in lines:
        assert line.keys() == SCHEMA.schema["properties"].keys(), line
    for line in lines[:: len(lines) // 200 + 1]:
        SCHEMA.validate(line)


class Gateway(Process):
    asks = staticmethod(ask)  # or ask_http2, which a test may put here

    def __init__(self, folder, sim, settings=None, env=None):
        self.sim = sim
        self.port, self.admin = free_port(), free_port()
        self.file = Path(folder) / "weir.yaml"
        self.config = {
            "listen": [f"127.0.0.1:{self.port}"],
            "admin": f"127.0.0.1:{self.admin}",
            "workers": 2,
            "regions": {r: {"endpoint": f"http://127.0.0.1:{p}"} for r, p in sim.ports.items()},
            "default_region": next(iter(sim.ports)),
            "credentials": {
                "source": "static",
                "access_key_id": "AKIDEXAMPLE",
                "secret_access_key": SECRET,
            },
            "routes": [{"model": SONNET, "targets": [{"region": r} for r in sim.ports]}],
            "retry": {"base_delay": "20ms", "max_delay": "200ms"},
            "breaker": {"open_for": "500ms", "max_open": "1s"},
            "timeouts": {"drain_delay": "300ms", "drain": "10s"},
            "log": {"level": "debug", "format": "text"},
        }
        for region, port in getattr(sim, "mantle_ports", {}).items():  # other stand-ins have none
            self.config["regions"][region]["mantle_endpoint"] = f"http://127.0.0.1:{port}"
        self.write(settings)
        super().__init__(folder, "weir", ["serve", "-c", str(self.file)], env)

    def write(self, settings=None):
        """Merges one level deep; None takes a member away."""
        for key, value in (settings or {}).items():
            if value is None:
                self.config.pop(key, None)
            elif isinstance(value, dict) and isinstance(self.config.get(key), dict):
                self.config[key] = {**self.config[key], **value}
            else:
                self.config[key] = value
        self.file.write_text(json.dumps(self.config, indent=1))

    def __enter__(self):
        try:
            wait_until(self._ready, what="weir's start")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *failure):
        super().__exit__(*failure)
        if failure and failure[0] is None:
            hold_against_the_schema(self.lines())

    def _ready(self):
        self.check_alive()
        try:
            return ask(self.admin, "GET", "/readyz").status == 200
        except OSError:
            return False

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def ask(self, method, path, body=None, headers=None, timeout=20):
        return self.asks(self.port, method, path, body, headers, timeout)

    def converse(self, text="hi", model=SONNET, max_tokens=100, headers=None, timeout=20):
        """An unsigned Converse call without any SDK."""
        return self.ask("POST", f"/model/{model}/converse", say(text, max_tokens), headers, timeout)

    def boto(self, region=EAST, mode=None, attempts=None, service="bedrock-runtime", **config):
        retries = {}
        if mode:
            retries["mode"] = mode
        if attempts:
            retries["total_max_attempts"] = attempts
        if retries:
            config["retries"] = retries
        config.setdefault("read_timeout", 30)
        config.setdefault("max_pool_connections", 64)
        session = boto3.session.Session(
            aws_access_key_id="dummy", aws_secret_access_key="dummy", region_name=region
        )
        return session.client(service, endpoint_url=self.url, config=Config(**config))

    def status(self):
        return ask(self.admin, "GET", "/status").json()

    def metrics(self):
        return Metrics(ask(self.admin, "GET", "/metrics").body.decode())

    def lines(self):
        """The access log so far."""
        return [json.loads(line) for line in self.out.read_text().splitlines()]

    def line(self, **fields):
        """The latest access log line with these values, once it is there."""

        def find():
            for line in reversed(self.lines()):
                if all(line.get(k) == v for k, v in fields.items()):
                    return line
            return None

        return wait_until(find, 5, f"an access log line with {fields}")


class Metrics:
    """Prometheus text, read strictly."""

    SAMPLE = re.compile(r'^([a-z_]+)(?:\{(.*)\})? (\S+)$')
    LABEL = re.compile(r'([a-z_]+)="((?:[^"\\]|\\.)*)"(?:,|$)')

    def __init__(self, text):
        self.types, self.samples = {}, []
        for line in text.splitlines():
            if line.startswith("# TYPE "):
                _, _, name, kind = line.split(" ")
                assert name not in self.types, f"{name} stands there twice"
                self.types[name] = kind
            elif line and not line.startswith("#"):
                match = self.SAMPLE.match(line)
                assert match, line
                name, labels, value = match.groups()
                self.samples.append((name, dict(self.LABEL.findall(labels or "")), float(value)))
        keys = [(n, tuple(sorted(l.items()))) for n, l, _ in self.samples]
        assert len(keys) == len(set(keys)), "a series stands there twice"

    def sum(self, name, **labels):
        return sum(
            v for n, l, v in self.samples if n == name and all(l.get(k) == x for k, x in labels.items())
        )

    def labels(self, name):
        return [l for n, l, _ in self.samples if n == name]


class Stack(ExitStack):
    """A simulator and a gateway before it, in a folder that is gone afterwards."""

    def __init__(self, weir=None, sim=None, regions=(EAST, WEST), env=None):
        super().__init__()
        self.args = (weir, sim, regions, env)

    def __enter__(self):
        super().__enter__()
        weir, sim, regions, env = self.args
        with ExitStack() as undo:
            undo.callback(self.close)
            self.folder = self.enter_context(tempfile.TemporaryDirectory(prefix="weir-e2e-"))
            self.sim = self.enter_context(Sim(self.folder, sim, regions))
            self.weir = self.enter_context(Gateway(self.folder, self.sim, weir, env))
            undo.pop_all()
        return self

    def report(self):
        parts = []
        for process in (self.sim, self.weir):
            parts.append(f"---- {process.name}, exit {process.popen.poll()}, its log:\n{process.log()[-8000:]}")
        parts.append("---- access log:\n" + self.weir.out.read_text(errors="replace")[-4000:])
        return "\n".join(parts)


def say(text, max_tokens=100):
    return {
        "messages": [{"role": "user", "content": [{"text": text}]}],
        "inferenceConfig": {"maxTokens": max_tokens},
    }


def converse(client, text="hi", model=SONNET, max_tokens=100, **more):
    return client.converse(modelId=model, **say(text, max_tokens), **more)


def stream(client, text="hi", model=SONNET, max_tokens=100):
    """All events of a ConverseStream, in their order."""
    return list(client.converse_stream(modelId=model, **say(text, max_tokens))["stream"])


def text_of(events):
    return "".join(
        e["contentBlockDelta"]["delta"].get("text", "") for e in events if "contentBlockDelta" in e
    )


def headers_of(response):
    return response["ResponseMetadata"]["HTTPHeaders"]


class Crowd:
    """One thread for each of `runs`, from entering to leaving the context; each is to end once `stopping` is set."""

    def __init__(self, runs):
        self.stopping = threading.Event()
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=run, daemon=True) for run in runs]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self, within=40):
        self.stopping.set()
        for thread in self.threads:
            thread.join(within)


class Load(Crowd):
    """Threads that call until told to stop; keeps what each call came to."""

    def __init__(self, call, threads=8):
        super().__init__([self._run] * threads)
        self.call, self.done, self.failures = call, 0, []

    def _run(self):
        while not self.stopping.is_set():
            try:
                self.call()
                with self.lock:
                    self.done += 1
            except Exception as problem:  # whatever it is, the test shows it
                with self.lock:
                    self.failures.append(problem)

    def stop(self, within=30):
        super().stop(within)
        assert not any(thread.is_alive() for thread in self.threads), "a call hangs"


def command(*args, env=None, stdin=None, timeout=20):
    """Runs a weir command to its end."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "WEIR_"))}
    clean.update(env or {})
    return subprocess.run(
        [WEIR, *args], capture_output=True, text=True, timeout=timeout, env=clean, input=stdin
    )


def raw(port, data, timeout=5, until_close=True):
    """Sends bytes as they are and reads what comes back."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as s:
        s.sendall(data)
        got = b""
        try:
            while block := s.recv(65536):
                got += block
                if not until_close and b"\r\n\r\n" in got:
                    break
        except (socket.timeout, ConnectionResetError):
            pass
        return got


TERM, HUP = signal.SIGTERM, signal.SIGHUP


# A second call beside one that holds most of it has to wait.
ROOM_FOR_ONE = {
    "quota_window": "3s",
    "quotas": [{"model": SONNET, "tokens_per_minute": 2000}],
    "routes": [{"model": SONNET, "targets": [{"region": EAST}]}],
}


def reply_that_waited(stack):
    """With ROOM_FOR_ONE: of a call that waits for the room of another one, whose client leaves it."""
    stack.sim.fault("hang")
    replies = []

    def first():
        with suppress(OSError):  # it leaves
            stack.weir.converse(max_tokens=1500, timeout=3)

    holding = threading.Thread(target=first)
    waiting = threading.Thread(target=lambda: replies.append(stack.weir.converse(max_tokens=1400)))
    holding.start()
    wait_until(lambda: stack.sim.arrived() == 1)  # it hangs only if the fault is there when it comes
    stack.sim.heal()
    waiting.start()
    wait_until(lambda: stack.weir.status()["waiting_calls"] == 1)
    holding.join(30)
    waiting.join(30)
    return replies[0]
