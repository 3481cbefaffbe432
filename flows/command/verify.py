"""Run a pipeline again in a clean place, from the last commit, and compare every output with what is recorded.

python flows/verify.py [PIPELINE ...]
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from zipfile import ZipFile

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # so that this file can be started from anywhere

import h5py
from ruamel.yaml import YAML

from flows.engine import environment
from flows.project.params import ROOT, STEPS


def recorded(lock: Path, pipelines: list[str]) -> dict[str, str]:
    """Each output's path and MD5, in the order of the steps."""
    stages = YAML(typ="safe").load(lock)["stages"]
    names = [f"{step}@{pipeline}" for pipeline in pipelines for step in STEPS]
    return {out["path"]: out["md5"] for name in names for out in stages[name]["outs"]}


def layers(file: Path) -> dict[str, str]:
    """The SHA-256 of each layer's weights in a `.weights.h5` or `.keras` file, in its order."""
    found: dict[str, str] = {}

    def note(name: str, item: h5py.Dataset | h5py.Group) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = hashlib.sha256(item[()].tobytes()).hexdigest()

    with ExitStack() as opened:
        if file.suffix == ".keras":
            file = opened.enter_context(opened.enter_context(ZipFile(file)).open("model.weights.h5"))
        opened.enter_context(h5py.File(file)).visititems(note)
    return found


def difference(name: str, before: str, after: str, new: Path, cache: Path) -> str:
    """Both hashes of an output; of weights also the first layer that differs, if the recorded file is in the cache."""
    said = f"{name}: recorded {before}, now {after}"
    if new.suffix not in (".h5", ".keras"):
        return said
    old = cache / "files" / "md5" / before[:2] / before[2:]
    if not old.is_file():
        return f"{said} (the recorded file is not in DVC's cache, so its layers cannot be compared)"
    with tempfile.TemporaryDirectory() as folder:
        recorded = layers(Path(shutil.copy(old, Path(folder, new.name))))
    now = layers(new)
    different = [layer for layer in recorded | now if recorded.get(layer) != now.get(layer)]
    if not different:
        return f"{said}; every layer is the same, so it is in what surrounds them"
    layer = different[0]
    return f"{said}; the first layer is {layer}: {recorded.get(layer, 'not there')}, now {now.get(layer, 'not there')}"


def main(pipelines: list[str]) -> int:
    """Returns: the exit code: 0 if every output has the recorded hash, else 1."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = {**os.environ, "PATH": path}
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder, "clone")
        subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
        (listed,) = YAML(typ="safe").load(clone / "dvc.yaml")["vars"]
        known = [name for name in listed["pipelines"] if (clone / "data" / name / environment.FILE).is_file()]
        pipelines = pipelines or known
        for pipeline in set(pipelines) - set(known):
            print(f"The last commit has no run of {pipeline}. It has {', '.join(known)}. Run it, then commit dvc.lock.")
            return 1
        for pipeline in pipelines:
            there = json.loads((clone / "data" / pipeline / environment.FILE).read_text(encoding="utf-8"))
            for name, here in environment.describe().items():
                if there[name] != here:
                    print(f"{pipeline} was made elsewhere, so bits may differ: {name} was {there[name]}, here {here}")
        before = recorded(clone / "dvc.lock", pipelines)
        stages = [f"{step}@{pipeline}" for pipeline in pipelines for step in ("visualize", "evaluate")]
        # --force: the last commit has the small outputs, and DVC would take them for what these steps wrote
        if subprocess.run(["dvc", "repro", "--force", *stages], cwd=clone, env=env).returncode:
            print("The pipeline did not run to its end: nothing was compared.")
            return 1
        after = recorded(clone / "dvc.lock", pipelines)
        for name, digest in before.items():
            print(f"{'same' if after[name] == digest else 'DIFFERS':8} {digest}  {name}")
        different = [name for name, digest in before.items() if after[name] != digest]
        if not different:
            print(f"All {len(before)} outputs are what is recorded, to the bit.")
            return 0
        said = subprocess.run(["dvc", "cache", "dir"], cwd=ROOT, env=env, check=True, capture_output=True, text=True)
        print(f"{len(different)} of {len(before)} differ. In the order of the steps:")
        for name in different:
            print(difference(name, before[name], after[name], clone / name, Path(said.stdout.strip())))
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
