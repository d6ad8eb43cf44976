"""Gateways that do part of what weir does, from their registries: the same chat completion through each."""
import os
import pathlib
import shutil
import statistics
import subprocess

from rig import Run, Unavailable, free_port, lua, processor_seconds, wait_for, wrk

PORTKEY = "1.15.2"
LITELLM = "1.108.7"
CHAT = "/v1/chat/completions"
REQUEST = '{"model":"m","max_tokens":500,"messages":[{"role":"user","content":"' + "word " * 280 + '"}]}'
ANSWER = ('{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":'
          '{"role":"assistant","content":"hello hello hello hello"},"finish_reason":"stop"}],'
          '"usage":{"prompt_tokens":300,"completion_tokens":200,"total_tokens":500}}')
UPSTREAM = "  server {{ listen 127.0.0.1:{to} backlog=4096; location / {{ default_type application/json; return 200 '{answer}'; }} }}\n"
LITELLM_CONFIG = """
model_list:
  - model_name: m
    litellm_params: {{model: openai/m, api_base: "http://127.0.0.1:{to}/v1", api_key: x}}
litellm_settings: {{drop_params: true, telemetry: false}}
"""


def _install(name, folder, stamp, *commands):
    """Once; its registry may not be reached."""
    if (folder / ".stamp").exists() and (folder / ".stamp").read_text() == stamp:
        return
    print(f"Installing {name} {stamp} into {folder}", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        for command in commands:
            subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, timeout=600)
    except FileNotFoundError as why:
        raise Unavailable(f"{name}: {why.filename} is not here") from why
    except subprocess.SubprocessError as why:
        said = (getattr(why, "stderr", "") or str(why)).strip().splitlines()
        raise Unavailable(f"{name} could not be installed: {said[-1] if said else why}") from why
    (folder / ".stamp").write_text(stamp)


def _portkey(run, root, to):
    folder = root / "portkey"
    _install("Portkey's gateway", folder, PORTKEY,
             ["npm", "install", "--no-audit", "--no-fund", "--prefix", ".", f"@portkey-ai/gateway@{PORTKEY}"])
    port = free_port()
    script = folder / "node_modules/@portkey-ai/gateway/build/start-server.js"
    child = run.start("node", str(script), f"--port={port}", "--headless")
    return port, child, {"Authorization": "Bearer x", "x-portkey-provider": "openai",
                         "x-portkey-custom-host": f"http://127.0.0.1:{to}/v1"}


def _litellm(run, root, to):
    folder = root / "litellm"
    _install("LiteLLM's proxy", folder, LITELLM, ["python3", "-m", "venv", "."],
             ["bin/pip", "install", "--quiet", "--disable-pip-version-check", f"litellm[proxy]=={LITELLM}"])
    port = free_port()
    # Its price list would come from the network; the key is one that it lets its callers use.
    environment = {**os.environ, "LITELLM_MASTER_KEY": "sk-x", "LITELLM_LOCAL_MODEL_COST_MAP": "True",
                   "PATH": f"{folder}/bin:{os.environ['PATH']}"}
    config = run.write("litellm.yaml", LITELLM_CONFIG.format(to=to))
    child = run.start(str(folder / "bin/litellm"), "--config", config, "--host", "127.0.0.1", "--port", str(port),
                      "--num_workers", str(os.cpu_count()), env=environment)
    return port, child, {"Authorization": "Bearer sk-x"}


def _weir(weir):
    def start(run, _root, to):
        port, child = run.weir(weir, to, workers=os.cpu_count(), model="m")
        return port, child, {"Authorization": "Bearer x"}
    return start


def peers(weir, folder, root, seconds, rounds):
    """{name: microseconds of processor time a request, requests a second}, and what was left out and why."""
    result = {"microseconds": {}, "requests_a_second": {}, "left_out": []}
    for name, start in (("Portkey's gateway", _portkey), ("LiteLLM's proxy", _litellm), ("weir", _weir(weir))):
        place = pathlib.Path(folder) / name.split("'")[0]
        place.mkdir()
        with Run(place) as run:
            to = free_port()
            run.nginx("up", UPSTREAM, to=to, answer=ANSWER)
            wait_for(to)
            try:
                port, child, fields = start(run, root, to)
                wait_for(port, 120)
            except Unavailable as why:
                result["left_out"].append(str(why))
                continue
            except SystemExit as why:
                result["left_out"].append(f"{name} did not start: {why}")
                continue
            script = lua(run, REQUEST, {"Content-Type": "application/json", **fields})
            wrk(port, script, 3, CHAT)
            costs, rates = [], []
            for _ in range(rounds):
                before = processor_seconds(child.pid)
                requests, rate, _ = wrk(port, script, seconds, CHAT)
                costs.append((processor_seconds(child.pid) - before) / requests * 1e6)
                rates.append(rate)
            result["microseconds"][name] = costs
            result["requests_a_second"][name] = rates
    ours = statistics.median(result["microseconds"]["weir"])
    result["times_weir"] = {name: statistics.median(costs) / ours for name, costs in result["microseconds"].items() if name != "weir"}
    return result
