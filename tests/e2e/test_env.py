"""Each client runs with the variables that `weir env` prints for it: against a weir whose clients have keys, and one without keys."""

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from harness import SONNET, Stack, command, wait_until
from test_js import SCRIPTS

ID, SECRET, KEY = "WEIRTESTENV", "env/secret+0123456789", "weir_test_env_key"
CLIENTS = [{"name": "program", "access_key_id": ID, "secret_access_key": SECRET,
            "key_sha256": [hashlib.sha256(KEY.encode()).hexdigest()]}]
E2E = Path(__file__).parent
PAGE = E2E.parents[1] / "docs" / "clients.md"


@pytest.fixture(scope="module")
def keyed():
    with Stack(weir={"clients": CLIENTS}) as stack:
        yield stack


@pytest.fixture(params=["keyed", "keyless"])
def weir(request):
    """A weir; `weir.keyed` says whether its clients have keys."""
    stack = request.getfixturevalue("keyed" if request.param == "keyed" else "plain")
    stack.weir.keyed = request.param == "keyed"
    return stack.weir


def recipe(client, url, keys):
    """The variables that `weir env` prints: exports without `#`, the Region, and those below the heading of this case."""
    printed = command("env", client, "--url", url)
    assert printed.returncode == 0, printed.stderr
    variables, for_keys = {}, None
    for line in printed.stdout.splitlines():
        if "`clients` have no keys" in line:
            for_keys = False
        elif "`clients` have keys" in line:
            for_keys = True
        export = re.match(r"(#   |# |)export (.*)", line)
        if not export:
            continue
        mark, assignments = export.groups()
        if (mark == "#   " and for_keys is not keys) or (mark == "# " and "REGION" not in assignments):
            continue
        for assignment in assignments.split():
            name, value = assignment.split("=", 1)
            variables[name] = {"WEIR...": ID, "...": SECRET, "weir_...": KEY}.get(value, value)
    return variables


def run_with(variables, *args):
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "WEIR_", "ANTHROPIC_", "OPENAI_"))}
    clean |= {"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
              "LITELLM_LOCAL_MODEL_COST_MAP": "True"}  # else LiteLLM asks the network for prices
    return subprocess.run(args, env=clean | variables, capture_output=True, text=True, timeout=60)


def served(weir):
    """The number of calls served; where clients have keys, those of the client that `recipe` names."""
    return sum(line["outcome"] == "ok" and (line["client"] == "program" or not weir.keyed) for line in weir.lines())


def check(weir, client, calls, *args, **more):
    """The program succeeds with the printed variables, and weir serves this many calls more."""
    before = served(weir)
    done = run_with(more | recipe(client, weir.url, weir.keyed), *args)
    assert done.returncode == 0, done.stderr[-2000:]
    wait_until(lambda: served(weir) >= before + calls, what="the access log lines")


HI = 'messages=[{"role": "user", "content": "hi"}]'
CONVERSE = f"""
import boto3
hi = [{{"role": "user", "content": [{{"text": "hi"}}]}}]
boto3.client("bedrock-runtime").converse(modelId={SONNET!r}, messages=hi)"""


def test_boto3(weir):
    check(weir, "boto3", 1, sys.executable, "-c", CONVERSE)


def test_boto3_sends_no_bearer_key_over_plain_http(keyed):
    """The recipe warns of this."""
    variables = recipe("boto3", keyed.weir.url, False) | {"AWS_BEARER_TOKEN_BEDROCK": KEY}
    done = run_with(variables, sys.executable, "-c", CONVERSE)
    assert done.returncode != 0 and "HTTPS" in done.stderr


def test_anthropic(weir):
    program = f"""
import anthropic
for client in (anthropic.AnthropicBedrock(), anthropic.AnthropicBedrockMantle(), anthropic.Anthropic()):
    client.messages.create(model={SONNET!r}, max_tokens=9, {HI})"""
    check(weir, "anthropic", 3, sys.executable, "-c", program, ANTHROPIC_API_KEY="any-word")


def test_openai(weir):
    program = f"""
import openai
client = openai.OpenAI()
client.models.list()
client.chat.completions.create(model={SONNET!r}, max_tokens=9, {HI})
client.responses.create(model={SONNET!r}, input="hi")"""
    check(weir, "openai", 2, sys.executable, "-c", program, OPENAI_API_KEY="any-word")


def test_javascript(weir):
    check(weir, "js", 1, "node", str(SCRIPTS / "recipe.mjs"), "aws", SONNET)


def test_anthropic_in_javascript(weir):
    check(weir, "anthropic", 1, "node", str(SCRIPTS / "recipe.mjs"), "anthropic", SONNET, ANTHROPIC_API_KEY="any-word")


def test_langchain(weir):
    pytest.importorskip("langchain_aws", reason="WEIR_E2E_LARGE=1 installs it")
    program = f"""
import langchain_aws
langchain_aws.ChatBedrockConverse(model={SONNET!r}, max_tokens=9).invoke("hi")"""
    check(weir, "langchain", 1, sys.executable, "-c", program)


@pytest.mark.parametrize("weir", ["keyed"], indirect=True)  # one case: the import alone takes seconds
def test_litellm(weir):
    """AWS_BEDROCK_RUNTIME_ENDPOINT wins over `api_base`, as the recipe says."""
    pytest.importorskip("litellm", reason="WEIR_E2E_LARGE=1 installs it")
    program = f"""
import litellm
litellm.completion(model="bedrock/" + {SONNET!r}, max_tokens=9, {HI}, api_base="http://127.0.0.1:1", num_retries=0)"""
    check(weir, "litellm", 1, sys.executable, "-c", program)


# ---- docs/clients.md

def pinned():
    """The version of each package that these tests install."""
    versions = json.loads((E2E / "js" / "package.json").read_text())["dependencies"]
    for name in ("requirements.txt", "requirements-large.txt"):
        versions |= dict(line.split("==") for line in (E2E / name).read_text().split() if "==" in line)
    return versions


def test_the_page_shows_what_weir_prints():
    printed = command("env", "openai", "--url", "http://127.0.0.1:7070").stdout
    assert "".join(f"    {line}\n" for line in printed.splitlines()) in PAGE.read_text()


def test_the_page_lists_the_clients_and_the_versions_that_are_tested():
    rows = [[cell.strip(" `") for cell in line.strip("|\n").split("|")]
            for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    assert {row[0] for row in rows} == set(command("env").stdout.split())
    versions = pinned()
    for client, package, version, *_ in rows:
        assert version == versions.get(package, "not tested"), f"{client}: {package}"
    assert {"boto3", "anthropic", "openai", "langchain-aws", "litellm", "@aws-sdk/client-bedrock-runtime",
            "@anthropic-ai/sdk"} <= {row[1] for row in rows}
