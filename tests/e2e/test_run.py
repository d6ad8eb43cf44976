"""`weir run -- COMMAND`: a gateway for the life of one command."""

import json
import os
import pty
import re
import signal
import subprocess
import sys

import pytest
from harness import EAST, ROOMY, SECRET, SONNET, WEIR, Sim, command, free_port, wait_until

CALL = f"""
import boto3, sys
client = boto3.client("bedrock-runtime", region_name="{EAST}")
for _ in range(int(sys.argv[1])):
    answer = client.converse(modelId="{SONNET}", messages=[{{"role": "user", "content": [{{"text": "hi"}}]}}],
                             inferenceConfig={{"maxTokens": 100}})
print(answer["output"]["message"]["role"])
"""


@pytest.fixture(scope="module")
def sim(tmp_path_factory):
    with Sim(tmp_path_factory.mktemp("sim"), {"models": {"*": ROOMY}}) as sim:
        yield sim


@pytest.fixture
def file(sim, tmp_path):
    """A configuration before the simulator; `file.write_text` may replace it."""
    sim.heal()
    path = tmp_path / "weir.yaml"
    path.write_text(json.dumps({
        "listen": "0.0.0.0:1", "admin": "127.0.0.1:2", "clients": [],  # a gateway's file: not where a run listens
        "regions": {r: {"endpoint": f"http://127.0.0.1:{p}"} for r, p in sim.ports.items()},
        "default_region": EAST, "open": True,
        "credentials": {"source": "static", "access_key_id": "AKIDEXAMPLE", "secret_access_key": SECRET},
        "routes": [{"model": SONNET, "targets": [{"region": r} for r in sim.ports]}],
        "tls": {"certificate": "absent.pem", "key": "absent.key"},
        "retry": {"base_delay": "20ms", "max_delay": "200ms"},
    }))
    yield path
    sim.heal()


KEYS = {"AWS_ACCESS_KEY_ID": "of-the-command", "AWS_SECRET_ACCESS_KEY": "its-own", "AWS_EC2_METADATA_DISABLED": "true"}


def run(*args, env=None, stdin=None):
    return command("run", *args, env=KEYS | (env or {}), stdin=stdin)


def report(done):
    """The line at the end about what weir did."""
    lines = [line for line in done.stderr.splitlines() if line.startswith("weir: ")]
    assert len(lines) == 1, done.stderr
    return lines[0]


def python(text, *args):
    return ["--", sys.executable, "-c", text, *args]


# ---- calls

def test_a_program_with_boto3(file):
    done = run("-c", str(file), *python(CALL, "3"))
    assert (done.returncode, done.stdout) == (0, "assistant\n"), done.stderr
    assert done.stderr == "weir: 3 requests (3 ok), 0 waited, 0 refusals avoided, 0 failovers\n"


def test_the_report_of_a_failover(file, sim):
    sim.fault("unavailable", region=EAST)
    done = run("-c", str(file), *python(CALL, "1"))
    assert done.returncode == 0, done.stderr
    assert re.match(r"weir: 1 request \(1 ok\), . waited.*, 1 refusal avoided, 1 failover$", report(done))


def test_the_report_of_a_wait(file):
    config = json.loads(file.read_text()) | {
        "quota_window": "1s", "quotas": [{"model": SONNET, "requests_per_minute": 1}],
        "routes": [{"model": SONNET, "targets": [{"region": EAST}]}]}
    file.write_text(json.dumps(config))
    done = run("-c", str(file), *python(CALL, "2"))
    assert done.returncode == 0, done.stderr
    assert re.search(r"2 requests \(2 ok\), 1 waited \d\.\d s in all, 1 refusal avoided", report(done))


def test_the_report_names_failures_and_the_commands_code_stays(file, sim):
    for region in sim.ports:
        sim.fault("access_denied", region=region)
    done = run("-c", str(file), *python(CALL, "1"))
    assert done.returncode == 1 and "AccessDenied" in done.stderr
    assert "0 ok, 1 client_error" in report(done)


def test_no_request_is_said_with_a_hint():
    done = run("--", "true")
    assert done.returncode == 0 and "no request" in report(done) and "weir env" in done.stderr


def test_quiet_leaves_standard_error_to_the_command(file):
    done = run("-c", str(file), "--quiet", *python(CALL, "1"))
    assert (done.returncode, done.stdout, done.stderr) == (0, "assistant\n", "")


def test_the_logs_in_files(file, tmp_path):
    log, access = tmp_path / "weir.log", tmp_path / "calls.jsonl"
    done = run("-c", str(file), "--log", str(log), "--access-log", str(access), *python(CALL, "2"))
    assert done.returncode == 0, done.stderr
    assert "listens on http://127.0.0.1:" in log.read_text()
    lines = [json.loads(line) for line in access.read_text().splitlines()]
    assert [line["outcome"] for line in lines] == ["ok", "ok"]
    plan = command("plan", "--trace", str(access))
    assert plan.returncode == 0, plan.stderr


# ---- what the command gets

def environment(*args, env=None):
    done = run(*args, "--", "env", "-0", env=env)
    assert done.returncode == 0, done.stderr
    return dict(entry.split("=", 1) for entry in done.stdout.split("\0") if entry)


def exports(client, url):
    lines = command("env", client, "--url", url).stdout.splitlines()
    return dict(line[len("export "):].split("=", 1) for line in lines if line.startswith("export "))


def test_the_variables_of_every_client_and_the_rest_untouched():
    own = environment(env={"AWS_SESSION_TOKEN": "kept", "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": "http://elsewhere"})
    url = own["WEIR_URL"]
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", url)
    for client in command("env").stdout.split():
        assert exports(client, url).items() <= own.items(), client
    assert own["AWS_ENDPOINT_URL_BEDROCK_RUNTIME"] == url and own["ANTHROPIC_BEDROCK_BASE_URL"] == url
    assert (own["AWS_ACCESS_KEY_ID"], own["AWS_SESSION_TOKEN"]) == ("of-the-command", "kept")
    assert own["PATH"] == os.environ["PATH"] and "NO_PROXY" not in own


def test_the_variables_of_one_client_alone():
    own = environment("--client", "boto3")
    assert "AWS_ENDPOINT_URL_BEDROCK_RUNTIME" in own and "OPENAI_BASE_URL" not in own
    assert run("--client", "perl", "--", "true").returncode == 2


def test_a_proxy_does_not_get_the_calls_to_weir():
    own = environment(env={"HTTP_PROXY": "http://proxy:3128", "no_proxy": "internal"})
    assert own["no_proxy"] == own["NO_PROXY"] == "internal,127.0.0.1"


def test_clients_with_keys_are_not_told_to_skip_authentication(file):
    config = json.loads(file.read_text()) | {"clients": [{"name": "one", "key_sha256": ["0" * 64]}]}
    file.write_text(json.dumps(config))
    assert "CLAUDE_CODE_SKIP_BEDROCK_AUTH" not in environment("-c", str(file))
    assert "CLAUDE_CODE_SKIP_BEDROCK_AUTH" in environment()


def test_standard_input_and_words_go_through_as_they_are():
    done = run("--", "sh", "-c", 'cat; printf "[%s]" "$@"', "sh", "a b", "", "--", "-c", stdin="given")
    assert done.stdout == "given[a b][][--][-c]"
    assert run("echo", "-c", "--", "--quiet").stdout == "-c -- --quiet\n"  # without the first `--`
    assert "PATH=" in run("--", "env").stdout  # which is a command of weir's as well


def test_limits_signals_and_descriptors_are_those_of_weirs_parent():
    # Its own descriptors and signals, and those that a shell in weir's place would have.
    look = """
import os, resource, signal
print(resource.getrlimit(resource.RLIMIT_NOFILE), signal.pthread_sigmask(signal.SIG_BLOCK, []),
      [s.name for s in signal.valid_signals() if signal.getsignal(s) == signal.SIG_IGN], sorted(os.listdir("/proc/self/fd")))"""
    wanted = subprocess.run([sys.executable, "-c", look], stdin=subprocess.PIPE, capture_output=True, text=True).stdout
    assert run(*python(look), stdin="").stdout == wanted


# ---- how it ends

@pytest.mark.parametrize("words, code", [
    (["sh", "-c", "exit 7"], 7), (["sh", "-c", "kill -KILL $$"], 137), (["sh", "-c", "kill -INT $$"], 130),
    (["/nonexistent/program"], 127), (["no-such-program"], 127), (["/etc/passwd"], 126), (["/"], 126)])
def test_the_exit_code_is_a_shells(words, code):
    done = run("--", *words)
    assert done.returncode == code, done.stderr
    if code in (126, 127):
        assert words[0] in done.stderr and "weir: " not in done.stderr


def test_without_a_gateway_the_command_does_not_run(file, tmp_path):
    touched = tmp_path / "touched"
    file.write_text("retrys: {}\n")
    done = run("-c", str(file), "--", "touch", str(touched))
    assert done.returncode == 2 and "weir.yaml:1:" in done.stderr
    file.write_text(f"regions: {{us-east-1: {{ca: {tmp_path}/absent.pem}}}}\n")
    done = run("-c", str(file), "--", "touch", str(touched))
    assert done.returncode == 2 and "absent.pem" in done.stderr
    few = ["sh", "-c", 'ulimit -n 8; exec "$@"', "sh", WEIR, "run", "--", "touch", str(touched)]  # no descriptor for its loops
    done = subprocess.run(few, capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr, done
    assert run("--log", "/nonexistent/log", "--", "touch", str(touched)).returncode == 1
    assert run().returncode == run("-c", str(file)).returncode == 2
    assert not touched.exists()


HANDLER = """
import signal, sys, time
def told(number, _):
    print(signal.Signals(number).name, flush=True)
    if number == signal.SIGTERM:
        sys.exit(3)
for name in "HUP INT QUIT TERM USR1 USR2 WINCH CONT".split():
    signal.signal(getattr(signal, "SIG" + name), told)
print("ready", flush=True)
while True:
    time.sleep(1)
"""


class Session:
    """`weir run` with a handler of signals, on a terminal of its own or on pipes."""

    def __init__(self, program=HANDLER, terminal=False):
        args = [WEIR, "run", "--quiet", *python(program)]
        env = os.environ | KEYS
        if terminal:
            self.pid, self.fd = pty.fork()
            if self.pid == 0:
                os.execve(WEIR, args, env)
        else:
            self.fd, end = os.pipe()
            self.process = subprocess.Popen(args, env=env, stdin=subprocess.DEVNULL, stdout=end, start_new_session=True)
            self.pid = self.process.pid
            os.close(end)
        os.set_blocking(self.fd, False)
        self.text = ""

    def read(self):
        try:
            self.text += os.read(self.fd, 65536).decode()
        except (BlockingIOError, OSError):
            pass
        return self.text

    def wait_for(self, word, times=1):
        wait_until(lambda: self.read().count(word) >= times, what=f"{times} times {word} in {self.text!r}")

    def state(self, pid=None):
        stat = open(f"/proc/{pid or self.pid}/stat").read()
        return stat[stat.rindex(")") + 2]

    def child(self):
        return int(open(f"/proc/{self.pid}/task/{self.pid}/children").read().split()[0])

    def end(self):
        """The exit code; negative: a signal."""
        def look():
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            return (os.waitstatus_to_exitcode(status),) if pid else None
        return wait_until(look, what="the end")[0]

    def __enter__(self):
        self.wait_for("ready")
        return self

    def __exit__(self, *_):
        try:
            os.killpg(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass
        os.close(self.fd)


def test_signals_that_are_sent_go_on_to_the_command():
    with Session() as session:
        for name in "HUP INT QUIT USR1 USR2 WINCH CONT".split():
            os.kill(session.pid, getattr(signal, "SIG" + name))
            session.wait_for("SIG" + name)
        os.kill(session.pid, signal.SIGTERM)
        assert session.end() == 3
        assert session.read().split() == "ready SIGHUP SIGINT SIGQUIT SIGUSR1 SIGUSR2 SIGWINCH SIGCONT SIGTERM".split()


def test_a_command_that_a_signal_ends():
    with Session("import time; print('ready', flush=True); time.sleep(60)") as session:
        os.kill(session.pid, signal.SIGTERM)
        assert session.end() == 143


def test_the_command_ends_when_weir_is_killed():
    with Session() as session:
        child = session.child()
        os.kill(session.pid, signal.SIGKILL)
        assert session.end() == -signal.SIGKILL
        session.wait_for("SIGTERM")
        wait_until(lambda: not os.path.exists(f"/proc/{child}") or session.state(child) == "Z", what="its end")


def test_the_first_process_of_a_container_collects_orphans():
    # The grandchild outlives its parent, ends, and is nobody's but process 1's.
    orphan = """
import os, subprocess, sys, time
subprocess.run(["sh", "-c", "sleep 0.1 & echo $!"])
time.sleep(0.5)
print([p for p in os.listdir("/proc") if p.isdigit() and open(f"/proc/{p}/stat").read().rpartition(")")[2].split()[0] == "Z"])
sys.exit(9)"""
    isolated = ["unshare", "--pid", "--fork", "--mount-proc"]
    if subprocess.run([*isolated, "true"], capture_output=True).returncode != 0:
        pytest.skip("this needs a process namespace")
    done = subprocess.run([*isolated, WEIR, "run", "--quiet", *python(orphan)], env=os.environ | KEYS, capture_output=True, text=True)
    assert done.returncode == 9 and done.stdout.splitlines()[1:] == ["[]"], done


def test_the_terminals_interrupt_reaches_the_command_once():
    with Session(terminal=True) as session:
        os.write(session.fd, b"\x03")
        session.wait_for("SIGINT")
        os.kill(session.pid, signal.SIGUSR1)  # which goes the longer way: a second SIGINT would have come before
        session.wait_for("SIGUSR1")
        assert session.text.count("SIGINT") == 1
        os.kill(session.pid, signal.SIGTERM)
        assert session.end() == 3


JOB = f"""
import os, signal, subprocess, sys
# A shell's part: a job in a group of its own on this terminal, seen to stop, continued, and to its end.
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
job = subprocess.Popen([{WEIR!r}, "run", "--quiet", "--", sys.executable, "-c", {HANDLER!r}], preexec_fn=os.setpgrp)
os.tcsetpgrp(0, job.pid)
_, status = os.waitpid(job.pid, os.WUNTRACED)
print("stopped" if os.WIFSTOPPED(status) else "ended", os.WSTOPSIG(status), flush=True)
os.killpg(job.pid, signal.SIGCONT)
_, status = os.waitpid(job.pid, 0)
print("exit", os.waitstatus_to_exitcode(status), flush=True)
"""


def test_a_job_stops_and_goes_on_as_a_whole():
    pid, fd = pty.fork()
    if pid == 0:
        os.execve(sys.executable, [sys.executable, "-c", JOB], os.environ | KEYS)
    session = Session.__new__(Session)
    session.pid, session.fd, session.text = pid, fd, ""
    os.set_blocking(fd, False)
    with session:
        os.write(fd, b"\x1a")
        session.wait_for(f"stopped {int(signal.SIGTSTP)}")
        session.wait_for("SIGCONT")
        os.kill(session.child(), signal.SIGTERM)  # the shell's child, weir
        session.wait_for("exit 3")
        assert session.end() == 0


def test_two_at_once_and_beside_a_serve_of_the_same_file(file, tmp_path):
    config = json.loads(file.read_text())
    del config["tls"]
    config |= {"listen": f"127.0.0.1:{free_port()}", "admin": f"127.0.0.1:{free_port()}", "state_file": str(tmp_path / "state")}
    file.write_text(json.dumps(config))
    both = [subprocess.Popen([WEIR, "run", "-c", str(file), *python(CALL, "3")], env=os.environ | KEYS, stdout=subprocess.PIPE)
            for _ in range(2)]
    for one in both:
        out, _ = one.communicate(timeout=30)
        assert (one.returncode, out) == (0, b"assistant\n")
    assert not (tmp_path / "state").exists()  # it is the gateway's alone
