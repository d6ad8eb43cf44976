"""The wheel in a bare virtual environment: nothing of the build tree, no library from elsewhere, an empty environment."""

import os
import re
import signal
import subprocess
import sys
import zipfile

import pytest
from places import ROOT

WHEELS = list((ROOT / "build" / "wheel").glob("weir_gateway-*.whl"))
pytestmark = pytest.mark.skipif(not WHEELS, reason="`make wheel` has not run")

# What a manylinux system has to have (PEP 600).
OF_THE_SYSTEM = {"linux-vdso.so.1", "ld-linux-x86-64.so.2", "libc.so.6", "libm.so.6", "libresolv.so.2", "libgcc_s.so.1", "libstdc++.so.6",
                 "libz.so.1", "libdl.so.2", "libpthread.so.0", "librt.so.1"}


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bare")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    subprocess.run([folder / "bin/pip", "install", "--quiet", "--disable-pip-version-check", "--no-index", "--no-deps", WHEELS[0]], check=True)
    return folder


def run(bare, *args, **more):
    env = {"PATH": f"{bare}/bin:/usr/bin:/bin", "AWS_EC2_METADATA_DISABLED": "true", "AWS_REGION": "us-east-1"}
    return subprocess.run(args, capture_output=True, text=True, env=env, cwd="/", timeout=60, **more)


def test_the_name_and_the_platform():
    assert re.fullmatch(r"weir_gateway-[\d.]+-py3-none-manylinux_2_3[5-9]_\w+\.whl", WHEELS[0].name)


def test_every_library_is_bundled(bare):
    program = run(bare, "python", "-c", "import weir_gateway; print(weir_gateway.executable())").stdout.strip()
    linked = run(bare, "ldd", program).stdout
    assert "not found" not in linked
    elsewhere = {os.path.basename(line.split()[0]) for line in linked.splitlines() if str(bare) not in line}
    assert elsewhere <= OF_THE_SYSTEM, linked


def test_each_bundled_library_has_its_licence():
    with zipfile.ZipFile(WHEELS[0]) as wheel:
        names = wheel.namelist()
        assert wheel.testzip() is None
    licences = {name.rsplit("/", 1)[1] for name in names if "/licenses/" in name}
    assert {"LICENSE", "libcurl4", "libssl3", "libyaml-cpp0.7", "libgnutls30"} <= licences


def test_the_command_is_there(bare):
    version = run(bare, "weir", "--version")
    assert version.returncode == 0 and version.stdout.startswith("weir ")
    assert run(bare, "python", "-m", "weir_gateway", "--version").stdout == version.stdout
    assert run(bare, "weir", "nonsense").returncode == 2


def test_a_program_runs_beside_its_gateway(bare):
    program = """
import os, sys, urllib.request
print(urllib.request.urlopen(os.environ["AWS_ENDPOINT_URL_BEDROCK_RUNTIME"] + "/readyz").read().decode(), end="")
sys.exit(5)"""
    done = run(bare, "weir", "run", "--quiet", "--", "python", "-c", program)
    assert (done.returncode, done.stdout) == (5, "ok\n"), done.stderr


def test_it_serves_calls(bare):
    done = run(bare, "weir", "demo", "--seconds", "2", "--json")
    assert done.returncode == 0, done.stderr


def test_signals_reach_the_program_itself(bare):
    env = {"PATH": f"{bare}/bin:/usr/bin:/bin", "AWS_EC2_METADATA_DISABLED": "true"}
    process = subprocess.Popen(["weir", "run", "--quiet", "--", "sh", "-c", "echo ready; exec sleep 60"], env=env, stdout=subprocess.PIPE)
    try:
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 143
    finally:
        process.kill()


def test_the_systems_certificates_are_found_where_they_are_not_debians(bare, tmp_path):
    look = """
import os, weir_gateway
weir_gateway._STORES = ("/nonexistent", %r)
os.execv = lambda program, words: print(os.environ.get("SSL_CERT_FILE"), words[1:])
weir_gateway.main()"""
    store = tmp_path / "ca-bundle.crt"
    store.write_text("")
    assert run(bare, "python", "-c", look % str(store)).stdout == f"{store} []\n"
    assert run(bare, "python", "-c", look % "/nonexistent/either").stdout == "None []\n"
