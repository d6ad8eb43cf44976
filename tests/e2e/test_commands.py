"""The commands themselves."""

import re

import pytest
from harness import command, free_port

GOOD = "regions: {us-east-1: {}}\ndefault_region: us-east-1\n"
BAD = """\
listen: 127.0.0.1:7070
regions:
  us-east-1: {}
default_region: eu-west-1
queue: {deadline: 55}
routes:
  - model: us.anthropic.claude-sonnet-4-5-20250929-v1:0
    targets:
      - {region: us-west-2}
retrys: {}
"""


def test_version():
    done = command("--version")
    assert done.returncode == 0 and re.search(r"\d+\.\d+\.\d+", done.stdout)


@pytest.mark.parametrize("args", [["help"], ["help", "serve"], ["--help"]])
def test_help(args):
    done = command(*args)
    assert done.returncode == 0 and "serve" in done.stdout


@pytest.mark.parametrize("args", [["nonsense"], ["serve", "--nonsense"], ["check"], ["env", "nonsense"], ["key", "new"]])
def test_wrong_use_is_2(args):
    done = command(*args)
    assert done.returncode == 2 and done.stderr


def test_check_finds_nothing_wrong(tmp_path):
    file = tmp_path / "weir.yaml"
    file.write_text(GOOD)
    done = command("check", str(file))
    assert (done.returncode, done.stderr) == (0, "")


def test_check_names_every_mistake_with_its_place(tmp_path):
    file = tmp_path / "weir.yaml"
    file.write_text(BAD)
    done = command("check", str(file))
    assert done.returncode == 2
    text = done.stdout + done.stderr
    for line, word in [(4, "eu-west-1"), (5, "deadline"), (9, "us-west-2"), (10, "retrys")]:
        assert re.search(rf"weir\.yaml:{line}:\d+: .*{word}", text), (line, text)


def test_check_without_a_file_is_2(tmp_path):
    assert command("check", str(tmp_path / "absent.yaml")).returncode == 2


def test_serve_with_a_bad_file_is_2(tmp_path):
    file = tmp_path / "weir.yaml"
    file.write_text(BAD)
    done = command("serve", "-c", str(file))
    assert done.returncode == 2 and "weir.yaml:10:" in done.stderr


def test_no_listener_is_open_by_accident(tmp_path):
    file = tmp_path / "weir.yaml"
    file.write_text(f"listen: 0.0.0.0:{free_port()}\n" + GOOD)
    done = command("serve", "-c", str(file))
    assert done.returncode == 2
    assert "clients" in done.stderr and "open" in done.stderr


def test_an_address_in_use_is_1(tmp_path):
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        file = tmp_path / "weir.yaml"
        file.write_text(f"listen: 127.0.0.1:{taken.getsockname()[1]}\nadmin: 127.0.0.1:{free_port()}\n" + GOOD)
        done = command("serve", "-c", str(file), env={"AWS_EC2_METADATA_DISABLED": "true"})
    assert done.returncode == 1 and done.stderr


def test_env():
    names = command("env")
    assert names.returncode == 0
    assert {"boto3", "aws", "js", "vercel", "claude-code", "langchain", "litellm", "openai"} <= set(names.stdout.split())
    for client in names.stdout.split():
        done = command("env", client, "--url", "http://weir:1")
        assert done.returncode == 0 and "http://weir:1" in done.stdout


def test_a_new_key_fits_its_hash():
    import hashlib

    done = command("key", "new", "chat")
    assert done.returncode == 0
    key = re.search(r"weir_[\w-]+", done.stdout).group()
    assert hashlib.sha256(key.encode()).hexdigest() in done.stdout + done.stderr
    assert key not in command("key", "new", "chat").stdout


def test_the_printed_configuration_is_one(tmp_path):
    done = command("print-config")
    assert done.returncode == 0
    file = tmp_path / "weir.yaml"
    file.write_text(done.stdout)
    checked = command("check", str(file))
    assert checked.returncode == 0, checked.stdout + checked.stderr
