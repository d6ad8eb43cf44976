"""A copy of this system to do things to: an overlay in namespaces of its own, as root. Nothing that is written in it outlives it."""

import subprocess

COPY = r"""
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs /mnt
mkdir -p /mnt/upper /mnt/work /mnt/root
mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work /mnt/root
cd /mnt/root
mount -t proc proc proc
mount --rbind /dev dev
mkdir -p mnt/package mnt/result
cp "$1" mnt/package/weir.deb
mount --bind "$2" mnt/result
cp "$2/script" mnt/script
"""
RUN = COPY + "exec chroot . sh /mnt/script"
# systemd makes user namespaces, which the kernel forbids in a chroot: the copy becomes the root.
BOOT = COPY + r"""
mount -t sysfs sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs tmpfs run
mount -t tmpfs tmpfs tmp
rm -rf etc/systemd/system/*.wants
rm -f usr/sbin/policy-rc.d
for unit in systemd-journald.service systemd-journald.socket systemd-udevd.service systemd-logind.service; do
    ln -sf /dev/null etc/systemd/system/$unit
done
cat >etc/systemd/system/script.service <<'UNIT'
[Unit]
DefaultDependencies=no
[Service]
Type=oneshot
Environment=HOME=/root
ExecStart=/bin/sh /mnt/script
ExecStopPost=/bin/sh -c 'echo $EXIT_STATUS >/mnt/result/code'
StandardOutput=file:/mnt/result/out
StandardError=file:/mnt/result/out
UNIT
mkdir -p mnt/before
pivot_root . mnt/before
umount -l /mnt/before
exec /lib/systemd/systemd --system --unit=script.service --show-status=no --log-target=null
"""


def in_a_copy(package, folder, script):
    """Runs a shell script in a copy of the system, the package at /mnt/package/weir.deb and `folder` at /mnt/result."""
    (folder / "script").write_text(script)
    return subprocess.run(["unshare", "--mount", "sh", "-c", RUN, "sh", package, folder], capture_output=True, text=True, timeout=120)


def booted(package, folder, script, wait_until):
    """The same with systemd as process 1 there, in a network of its own: the script's exit code, or None if systemd did not start it."""
    (folder / "script").write_text(script)
    spaces = ["unshare", "--mount", "--pid", "--cgroup", "--net", "--ipc", "--uts", "--fork", "--kill-child"]
    with open(folder / "boot", "wb") as log:
        process = subprocess.Popen([*spaces, "sh", "-c", BOOT, "sh", package, folder], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        if not wait_until(lambda: (folder / "out").exists() or process.poll() is not None, 20) or process.poll() is not None:
            return None
        wait_until((folder / "code").exists, 100)
        return int((folder / "code").read_text() or -1)
    finally:
        process.kill()
        process.wait()
