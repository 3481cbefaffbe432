"""Run a pipeline again in a clean place, from the last commit, and compare every output with what is recorded.

python flows/verify.py [PIPELINE ...]
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that this file can be started from anywhere

from ruamel.yaml import YAML

from flows import environment
from flows.params import ROOT


def recorded(lock: Path, pipelines: list[str]) -> dict[str, str]:
    """Each output's path and MD5, in the order of the steps."""
    stages = YAML(typ="safe").load(lock)["stages"]
    chosen = {name: stage for name, stage in stages.items() if name.partition("@")[2] in pipelines}
    return {out["path"]: out["md5"] for stage in chosen.values() for out in stage["outs"]}


def main(pipelines: list[str]) -> int:
    """Returns: the exit code: 0 if every output has the recorded hash, else 1."""
    pipelines = pipelines or ["fashion", "linear"]
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder, "clone")
        subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
        for pipeline in pipelines:
            there = json.loads((clone / "data" / pipeline / environment.FILE).read_text(encoding="utf-8"))
            for name, here in environment.describe().items():
                if there[name] != here:
                    print(f"{pipeline} was made elsewhere, so bits may differ: {name} was {there[name]}, here {here}")
        before = recorded(clone / "dvc.lock", pipelines)
        stages = [f"{step}@{pipeline}" for pipeline in pipelines for step in ("visualize", "evaluate")]
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        if subprocess.run(["dvc", "repro", *stages], cwd=clone, env={**os.environ, "PATH": path}).returncode:
            print("The pipeline did not run to its end: nothing was compared.")
            return 1
        after = recorded(clone / "dvc.lock", pipelines)
    for name, digest in before.items():
        print(f"{'same' if after[name] == digest else 'DIFFERS':8} {digest}  {name}")
    different = [name for name, digest in before.items() if after[name] != digest]
    if different:
        name = different[0]
        print(f"{len(different)} of {len(before)} differ, the first is {name}: {before[name]}, now {after[name]}")
    else:
        print(f"All {len(before)} outputs are what is recorded, to the bit.")
    return bool(different)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
