"""The container image: its file system is made here as the build makes it, and runs in a chroot. Docker itself only where its daemon runs."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time

import pytest
from places import PACKAGING, ROOT, weir

FILE = PACKAGING / "Containerfile"
USER = "65532:65532"


def instruction(name):
    """The arguments of each of these instructions in the last stage."""
    text = re.sub(r"\\\n", " ", FILE.read_text().split("FROM scratch\n")[1])
    return re.findall(rf"^{name} (.*)$", text, re.M)


def words(text):
    """The command of `HEALTHCHECK ... CMD [...]` or `CMD [...]`."""
    return json.loads(text[text.index("["):])


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    root = tmp_path_factory.mktemp("image")
    root.chmod(0o755)
    subprocess.run([PACKAGING / "container-root", ROOT / "build/release/weir", root], check=True)
    return root


def test_there_is_no_shell_and_not_much_else(image):
    files = [path for path in image.rglob("*") if path.is_file()]
    programs = [path.name for path in files if os.access(path, os.X_OK) and ".so" not in path.name]
    assert programs == ["weir"]
    assert sum(path.stat().st_size for path in files) < 40 << 20
    assert (image / "etc/ssl/certs/ca-certificates.crt").stat().st_size > 100_000
    assert len(list((image / "usr/share/licenses").iterdir())) > 20


def test_the_file_names_what_the_image_has(image):
    assert instruction("USER") == [USER] and f":x:{USER}:" in (image / "etc/passwd").read_text()
    ports = [re.search(rf'^{name}: .*?127\.0\.0\.1:(\d+)', weir("print-config").stdout, re.M).group(1) for name in ("listen", "admin")]
    assert instruction("EXPOSE") == [" ".join(ports)]
    (entry,), (command,) = map(instruction, ("ENTRYPOINT", "CMD"))
    assert words(entry) == ["/usr/bin/weir"] and words(command) == ["serve", "-c", "/etc/weir/weir.yaml"]
    assert f"COPY --from=build --chown={USER} /state /var/lib/weir" in FILE.read_text()


def in_image(image, args):
    return [shutil.which("chroot", path="/usr/sbin:/usr/bin:/sbin"), f"--userspec={USER}", str(image), *args]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@pytest.mark.skipif(os.geteuid() != 0, reason="chroot needs root")
def test_the_image_serves_and_its_health_check_says_so(image):
    env = {"WEIR_LISTEN": f"127.0.0.1:{free_port()}", "WEIR_ADMIN": f"127.0.0.1:{free_port()}", "AWS_EC2_METADATA_DISABLED": "true"}
    check = words(instruction("HEALTHCHECK")[0])
    start = words(instruction("ENTRYPOINT")[0]) + words(instruction("CMD")[0])

    def healthy():
        return subprocess.run(in_image(image, check), env=env, capture_output=True, timeout=20).returncode

    assert healthy() == 1
    process = subprocess.Popen(in_image(image, start), env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        until = time.monotonic() + 20
        while healthy() != 0:
            assert process.poll() is None and time.monotonic() < until, process.stderr.read()
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        while healthy() == 0:
            assert time.monotonic() < until + 20
        assert process.wait(40) == 0
    finally:
        process.kill()


def daemon():
    return shutil.which("docker") and subprocess.run(["docker", "info"], capture_output=True, timeout=20).returncode == 0


def test_docker_builds_it():
    if not daemon():
        pytest.skip("no Docker daemon runs here")
    subprocess.run(["docker", "build", "-f", FILE, "-t", "weir-test", ROOT], check=True, timeout=1800)
    done = subprocess.run(["docker", "run", "--rm", "weir-test", "--version"], capture_output=True, text=True)
    assert done.stdout == weir("--version").stdout
