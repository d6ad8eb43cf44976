"""The systemd unit, as far as it can be judged without systemd running: systemd-analyze, and what the unit must not say."""

import re
import shutil
import subprocess

import pytest
from places import PACKAGING, ROOT

UNIT = PACKAGING / "systemd" / "weir.service"
analyze = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")


def settings(name):
    return [line.split("=", 1)[1] for line in UNIT.read_text().splitlines() if line.startswith(name + "=")]


@analyze
def test_systemd_accepts_the_unit(tmp_path):
    unit = tmp_path / "weir.service"  # systemd-analyze looks whether the command is there
    unit.write_text(UNIT.read_text().replace("/usr/bin/weir", "/bin/true"))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@analyze
def test_systemd_accepts_the_socket_and_it_is_the_port_of_the_first_configuration(tmp_path):
    socket = PACKAGING / "systemd" / "weir.socket"
    for unit in (UNIT, socket):
        (tmp_path / unit.name).write_text(unit.read_text().replace("/usr/bin/weir", "/bin/true"))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", str(tmp_path / socket.name)], capture_output=True, text=True,
                          env={"SYSTEMD_UNIT_PATH": f"{tmp_path}:"})
    assert (done.returncode, done.stderr) == (0, "")
    defaults = subprocess.run([ROOT / "build/release/weir", "print-config"], capture_output=True, text=True).stdout
    address = re.search(r"^ListenStream=(.*)$", socket.read_text(), re.M).group(1)
    assert re.search(rf"^listen: .*{re.escape(address)}", defaults, re.M)


@analyze
def test_the_exposure_is_below_2():
    done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager", str(UNIT)], capture_output=True, text=True)
    exposure = float(re.search(r"Overall exposure level for weir.service: ([\d.]+)", done.stdout).group(1))
    assert exposure < 2.0
    assert f"rates it {exposure}" in (ROOT / "docs" / "deploying.md").read_text()


def test_a_stop_sends_sigterm_once():
    """systemd sends KillSignal after ExecStop as well, and a second SIGTERM ends weir without its drain."""
    assert settings("ExecStop") == [] and settings("KillSignal") == ["SIGTERM"] and settings("KillMode") == ["mixed"]


def test_a_stop_has_time_for_the_default_drain():
    """Also where the request for more time does not arrive."""
    defaults = subprocess.run([ROOT / "build/release/weir", "print-config"], capture_output=True, text=True).stdout
    seconds = sum(int(re.search(rf"^ +{name}: (\d+)s", defaults, re.M).group(1)) for name in ("drain_delay", "drain"))
    assert int(settings("TimeoutStopSec")[0]) > seconds + 8


def test_a_reload_checks_the_file_that_is_served():
    (serve,), (check, signal) = settings("ExecStart"), settings("ExecReload")
    assert serve.split("-c ")[1] == check.split("check ")[1] and "-HUP" in signal
    assert "2" in settings("RestartPreventExitStatus")


def test_the_unit_names_what_the_package_installs():
    assert settings("User") == ["weir"] and (PACKAGING / "systemd" / "weir.sysusers").read_text().startswith("u weir ")
    assert settings("StateDirectory") == ["weir"]
