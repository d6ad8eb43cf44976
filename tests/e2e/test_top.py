"""`weir top` in a terminal: what is on its screen, and that the terminal is left as it was."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import threading

import pyte
import pytest
from harness import EAST, SONNET, WEST, WEIR, converse, wait_until

ROUTE = [{"model": SONNET, "targets": [{"region": EAST}, {"region": WEST}]}]
BREAKER = {"failures": 1, "open_for": "60s", "max_open": "60s"}


class Terminal:
    """A command in a pty, and what a person sees of it."""

    def __init__(self, *args, width=80, height=24, **env):
        self.screen = pyte.Screen(width, height)
        self.stream = pyte.ByteStream(self.screen)
        self.bytes = b""
        self.lock = threading.Lock()
        self.master, slave = pty.openpty()
        self.resize(width, height, tell=False)
        self.before = termios.tcgetattr(slave)
        self.slave = slave
        clean = {k: v for k, v in os.environ.items()
                 if not k.startswith(("AWS_", "WEIR_")) and k not in ("NO_COLOR", "COLUMNS", "LINES")}
        clean.update({"TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}, **env)
        self.popen = subprocess.Popen([WEIR, *args], stdin=slave, stdout=slave, stderr=slave, env=clean,
                                      start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.popen.poll() is None:
            self.popen.kill()
        self.popen.wait(10)
        self.hang_up()
        os.close(self.slave)

    def hang_up(self):
        if self.master is not None:
            master, self.master = self.master, None
            self.thread.join(10)
            os.close(master)

    def _read(self):
        while (master := self.master) is not None:
            if select.select([master], [], [], 0.05)[0]:
                try:
                    data = os.read(master, 65536)
                except OSError:
                    return
                with self.lock:
                    self.bytes += data
                    self.stream.feed(data)

    def resize(self, width, height, tell=True):
        # The screen first: what is drawn for the new size must not come to one of the old.
        with self.lock:
            self.screen.resize(height, width)
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
        if tell:
            self.popen.send_signal(signal.SIGWINCH)

    def press(self, keys):
        os.write(self.master, keys)

    def lines(self):
        with self.lock:
            return list(self.screen.display)

    def shows(self, text, within=15):
        try:
            return wait_until(lambda: any(text in line for line in self.lines()), within, f"{text!r} on the screen")
        except AssertionError as error:
            raise AssertionError(f"{error}:\n" + "\n".join(self.lines())) from None

    def colours(self):
        with self.lock:
            return {char.fg for row in self.screen.buffer.values() for char in row.values()} - {"default"}

    def is_as_before(self):
        return termios.tcgetattr(self.slave) == self.before


def top(weir, *args, **more):
    return Terminal("top", "--url", f"http://127.0.0.1:{weir.admin}", "--every", "200ms", *args, **more)


def test_it_shows_targets_and_leaves_by_q(start):
    s = start(weir={"quotas": [{"model": SONNET, "requests_per_minute": 1000, "tokens_per_minute": 200000}],
                    "clients": [{"name": "app", "requests_per_minute": 60}]})
    converse(s.weir.boto(user_agent_appid="app"))
    with top(s.weir) as terminal:
        terminal.shows("HEALTHY")
        terminal.shows("q quit  s sort: trouble  Tab clients")
        terminal.shows("1/1.0k")
        assert terminal.lines()[0].startswith("weir ")
        terminal.press(b"\t")
        terminal.shows("CLIENT")
        terminal.shows("requests 1/60")
        assert terminal.lines()[4].startswith("app ")
        terminal.press(b"q")
        assert terminal.popen.wait(10) == 0
        wait_until(terminal.is_as_before)
        wait_until(lambda: terminal.bytes.rfind(b"\x1b[?1049l") > terminal.bytes.rfind(b"\x1b[?1049h") >= 0)
        assert terminal.bytes.rfind(b"?25h") > terminal.bytes.rfind(b"?25l") > 0, "the cursor is back"


def test_trouble_comes_first_and_in_red(start):
    s = start(weir={"routes": ROUTE, "breaker": BREAKER})
    with top(s.weir) as terminal:
        terminal.shows("No target is in use yet.")
        s.sim.fault("unavailable", region=EAST)
        for name in "abcdefgh":
            converse(s.weir.boto(user_agent_appid=name))
        terminal.shows("DEGRADED")
        terminal.shows("the breaker is open")
        wait_until(lambda: "open" in terminal.lines()[4] and EAST in terminal.lines()[4])
        assert WEST in terminal.lines()[5]
        assert "red" in terminal.colours()
        terminal.press(b"s")
        terminal.shows("sort: name")


@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"TERM": "vt100"}], ids=str)
def test_no_colour_where_none_is_wanted_or_there(start, env):
    s = start(weir={"routes": ROUTE})
    with top(s.weir, **env) as terminal:
        terminal.shows("HEALTHY")
        assert terminal.colours() == set()
        attributes = {int(one) for found in re.findall(rb"\x1b\[([0-9;]*)m", terminal.bytes) for one in found.split(b";") if one}
        assert not attributes & {*range(30, 38), *range(40, 48)}, "no colour is set"
        terminal.press(b"q")
        assert terminal.popen.wait(10) == 0


@pytest.mark.parametrize("term", ["dumb", "", "no-such-terminal"])
def test_a_terminal_that_cannot_is_told(plain, term):
    with top(plain.weir, TERM=term) as terminal:
        assert terminal.popen.wait(10) == 2
        terminal.shows("weir status --watch")
        assert b"\x1b" not in terminal.bytes


def test_without_a_terminal_it_says_what_to_use(plain):
    done = subprocess.run([WEIR, "top", "--url", f"http://127.0.0.1:{plain.weir.admin}"], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=20)
    assert done.returncode == 2 and "weir status" in done.stderr and not done.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_a_signal_leaves_the_terminal_as_it_was(plain, number):
    with top(plain.weir) as terminal:
        terminal.shows("HEALTHY")
        assert not terminal.is_as_before(), "keys come at once, unseen"
        terminal.popen.send_signal(number)
        assert terminal.popen.wait(10) == 128 + number
        wait_until(terminal.is_as_before)
        wait_until(lambda: b"\x1b[?1049l" in terminal.bytes)


def test_it_follows_the_windows_size(plain):
    with top(plain.weir) as terminal:
        terminal.shows("q quit")
        for width, height in ((132, 40), (40, 10), (80, 24)):
            terminal.resize(width, height)
            wait_until(lambda: terminal.lines()[-1].startswith("q quit"), what=f"{width}x{height}")
        terminal.press(b"q")
        assert terminal.popen.wait(10) == 0


def test_it_says_when_the_gateway_is_gone_and_when_it_is_back(start):
    s = start()
    with top(s.weir) as terminal:
        terminal.shows("HEALTHY")
        s.weir.signal(signal.SIGSTOP)
        try:
            terminal.press(b"s")
            terminal.shows("sort: name")  # keys are heard meanwhile
            terminal.shows("DOWN", within=30)
        finally:
            s.weir.signal(signal.SIGCONT)
        terminal.shows("HEALTHY", within=30)


def test_it_ends_when_its_terminal_goes(plain):
    terminal = top(plain.weir)
    try:
        terminal.shows("HEALTHY")
        os.close(terminal.slave)
        terminal.hang_up()
        terminal.popen.wait(10)
    finally:
        terminal.popen.kill()
        terminal.popen.wait(10)
