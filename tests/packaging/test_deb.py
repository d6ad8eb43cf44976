"""The Debian package, installed, upgraded and purged in a copy of this system, and its service under a real systemd there."""

import os
import shutil
import subprocess
import time

import pytest
from overlay import booted, in_a_copy
from places import ROOT

DEBS = list((ROOT / "build" / "package").glob("weir_*.deb"))
pytestmark = pytest.mark.skipif(not DEBS, reason="`make package` has not run")


@pytest.fixture
def copies(tmp_path):
    if os.geteuid() != 0 or not shutil.which("unshare") or in_a_copy(DEBS[0], tmp_path, "true").returncode != 0:
        pytest.skip("this needs root and an overlay file system")
    return tmp_path


def wait_until(condition, seconds):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return condition()


def test_the_package_holds_the_command_the_units_and_no_configuration_of_its_own():
    files = subprocess.run(["dpkg", "-c", DEBS[0]], capture_output=True, text=True, check=True).stdout
    for name in ("./usr/bin/weir", "./usr/lib/systemd/system/weir.service", "./usr/lib/systemd/system/weir.socket",
                 "./usr/lib/sysusers.d/weir.conf", "./usr/share/weir/weir.yaml"):
        assert f" {name}\n" in files, name
    assert " ./etc" not in files


def test_install_upgrade_remove_purge(copies):
    done = in_a_copy(DEBS[0], copies, r"""
set -ex
dpkg -i /mnt/package/weir.deb
test "$(stat -c '%U:%G %a' /etc/weir/weir.yaml)" = 'root:weir 640'
su -s /bin/sh weir -c 'weir check /etc/weir/weir.yaml'
test -L /etc/systemd/system/multi-user.target.wants/weir.service
echo '# mine' >>/etc/weir/weir.yaml
dpkg -i /mnt/package/weir.deb
grep -q '# mine' /etc/weir/weir.yaml
dpkg -r weir
test -e /etc/weir/weir.yaml
dpkg -P weir
test ! -e /etc/weir
test -z "$(find /etc/systemd /var/lib/systemd -name 'weir.*')"
""")
    assert done.returncode == 0, done.stdout + done.stderr


# Units of a system that has no targets of a boot; a watchdog and a drain that a test can wait for.
SERVICE = r"""
set -ex
for unit in weir.service weir.socket; do
    mkdir -p /etc/systemd/system/$unit.d
    printf '[Unit]\nDefaultDependencies=no\nWants=\nAfter=\n' >/etc/systemd/system/$unit.d/test.conf
done
printf '[Service]\nWatchdogSec=2\nEnvironment=AWS_EC2_METADATA_DISABLED=true\nStandardError=append:/mnt/result/log\n' \
    >>/etc/systemd/system/weir.service.d/test.conf
show() { systemctl show -P "$1" weir.service; }

dpkg -i /mnt/package/weir.deb
test "$(show ActiveState)" = active          # the package starts it, and weir has said that it is ready
weir health
show StatusText | grep 'listens on 127.0.0.1:7070'
grep 'Seccomp:.*2' /proc/$(show MainPID)/status
grep 'CapBnd:.*0000000000000000' /proc/$(show MainPID)/status
test "$(stat -c %U /proc/$(show MainPID))" = weir

echo 'timeouts: {drain_delay: 200ms}' >>/etc/weir/weir.yaml
systemctl reload weir.service
timeout 10 sh -c 'until grep -q "SIGHUP: configuration" /mnt/result/log; do sleep 0.1; done'
echo 'retrys: {}' >>/etc/weir/weir.yaml
! systemctl reload weir.service
test "$(show ActiveState)" = active
sed -i '$d' /etc/weir/weir.yaml

sleep 5                                      # longer than the watchdog waits
test "$(show NRestarts)" = 0
kill -STOP $(show MainPID)                   # a gateway that hangs is restarted
timeout 20 sh -c 'until [ "$(systemctl show -P NRestarts weir.service)" = 1 ]; do sleep 0.1; done'
timeout 20 sh -c 'until weir health; do sleep 0.1; done'

systemctl stop weir.service
test "$(show Result)" = success
test "$(stat -c '%U %a' /var/lib/weir)" = 'weir 700'
test -s /var/lib/weir/weir-state.json

systemctl start weir.socket                  # over a restart nobody is refused
systemctl start weir.service
(for i in $(seq 100); do curl -s -m 20 -o /dev/null -w '%{http_code}\n' http://127.0.0.1:7070/healthz; sleep 0.02; done >/mnt/result/codes) &
sleep 0.5
before=$(show MainPID)
systemctl restart weir.service
wait $!
test "$(show MainPID)" != "$before"
test "$(sort -u /mnt/result/codes)" = 200
"""


def test_the_service_under_systemd(copies):
    for file in ("out", "code"):
        (copies / file).unlink(missing_ok=True)
    code = booted(DEBS[0], copies, SERVICE, wait_until)
    if code is None:
        pytest.skip("systemd does not start in namespaces here: " + (copies / "boot").read_text()[-300:])
    log = copies / "log"
    assert code == 0, (copies / "out").read_text()[-4000:] + (log.read_text()[-3000:] if log.exists() else "")
