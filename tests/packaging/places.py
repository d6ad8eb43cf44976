import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGING = ROOT / "packaging"


def weir(*args, env=None):
    env = {**os.environ, **(env or {})}
    return subprocess.run([ROOT / "build/release/weir", *args], capture_output=True, text=True, timeout=60, env=env)


def settings_problems(text, tmp_path, env=None):
    """What `weir check` says of a configuration, its state in a folder that is there."""
    file = tmp_path / "weir.yaml"
    file.write_text(text.replace("/var/lib/weir/", f"{tmp_path}/"))
    done = weir("check", str(file), env=env)
    return done.stderr if done.returncode else ""
