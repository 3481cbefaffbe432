"""Projects with models that were exported and never trained, and servers that answer with them.

python -m tests.support.answering make ROOT
python -m tests.support.answering serve ROOT PIPELINE PORT LIMITS TOKEN
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import numpy as np
from ruamel.yaml import YAML

from flows.memory.lock import digest
from flows.project.folder import Project
from tasks.core.folder import Folder
from tests.support import own
from tests.support.served import eventually, free_port

PIPELINES = ("pictures", "people", "points")
CITIES = ("Lima", "Oslo", "Kyoto")
COLUMNS = {
    "city": lambda row: CITIES[row % 3],
    "member": lambda row: ("yes", "no")[row % 2],
    "joined": lambda row: f"2024-01-{row % 28 + 1:02d}",
    "rooms": lambda row: "" if row == 3 else row % 5,
}
KINDS = {"city": "words", "member": "boolean", "joined": "date"}
PERSON = {"a": 1, "b": 0.5, "city": "Oslo", "member": True, "joined": "2024-01-02", "rooms": None}


def params(name: str, place: Path):
    """The section `load` of a pipeline, whose data are written first."""
    if name == "pictures":
        return own.of_images(own.put_images(place / "pictures", count=8))
    if name == "people":
        lines = own.table(60, lambda row: ("stays", "leaves")[row % 2], **COLUMNS)
        return own.of_csv(own.put_csv(place / "people.csv", *lines), columns=KINDS, missing="mean")
    x = np.arange(24, dtype=np.float64).reshape(12, 2)
    file = own.put_npz(place / "points.npz", x_train=x, y_train=x.sum(1))
    return own.of_npz(file, task="regression", **own.SHARE)


def make(root: Path, seed: int) -> None:
    """Load, normalize, build and export; the weights are drawn."""
    from tasks.families.mlp import Mlp
    from tasks.network.backend import keras  # here: TensorFlow takes seconds to import
    from tests.support.tiny import HIDDEN, OUTPUT

    family = Mlp(family="mlp", hidden=[8], **HIDDEN, **OUTPUT)
    for name in PIPELINES:
        place = root / "data" / name
        own.loaded(place, params(name, root / "sources"))
        schema = own.normalized(place, scale="standard" if name != "pictures" else "pixels")
        keras.utils.clear_session()
        keras.utils.set_random_seed(seed)
        export(place, family.model(Folder(place), schema, keras), schema)
    record(root)


def export(place: Path, model, schema: dict) -> None:
    from tasks.exports import litert

    (place / "export").mkdir()
    litert.write(model, schema, place / "export" / litert.NAME)
    shutil.copy(place / "schema.json", place / "export")


def record(root: Path) -> None:
    """Write the lock of the exports as they are now."""
    stages = {}
    for name in PIPELINES:
        out = {"path": f"data/{name}/export", "md5": digest(root / "data" / name / "export")}
        stages[f"export@{name}"] = {"deps": [], "outs": [out]}
    (root / "release").mkdir(exist_ok=True)
    YAML().dump({"stages": stages}, root / "release" / "dvc.lock")


def made(root: Path) -> Path:
    """Two projects in a folder: `now`, and `later` with other weights; by one process."""
    command = [sys.executable, "-m", "tests.support.answering", "make", str(root)]
    subprocess.run(command, check=True, cwd=Path(__file__).parents[2])
    return root


class Answering:
    """A server of one pipeline, in a process of its own.

    Args:
        root: of the project.
        pipeline: its name.
        limits: other than the usual ones; `whole` is `connection.WHOLE`.
        token: that requests need.
    """

    def __init__(self, root: Path, pipeline: str, token: str = "", **limits: float) -> None:
        self.port, self.log = free_port(), root / f"{pipeline}.log"
        told = [str(root), pipeline, str(self.port), json.dumps(limits), token]
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.answering", "serve", *told],
                cwd=Path(__file__).parents[2],
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.url = f"http://127.0.0.1:{self.port}"
        self.client = httpx.Client(base_url=self.url, timeout=30)
        eventually(self.answers, 60)

    def __enter__(self) -> Answering:
        return self

    def __exit__(self, *error: object) -> None:
        self.client.close()
        self.process.terminate()
        self.process.wait(timeout=40)

    def answers(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        try:
            return self.client.get("/v2/health/ready").status_code == 200
        except httpx.HTTPError:
            return False

    def predict(self, content: bytes, kind: str) -> httpx.Response:
        return self.client.post("/predict", content=content, headers={"Content-Type": kind})

    def count(self, name: str) -> float:
        """A value of /metrics, by its name with labels."""
        lines = self.client.get("/metrics").text.splitlines()
        return float(next(line for line in lines if line.startswith(f"{name} ")).split()[-1])


def serve(root: str, pipeline: str, port: str, limits: str, token: str) -> None:
    import logging

    from flows.inference import connection, model, server
    from flows.inference.guard import Names
    from flows.inference.service import Limits

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    load: Callable[[], model.Model] = lambda: model.load(Project(Path(root)), pipeline)  # noqa: E731
    listening = server.listen("127.0.0.1", int(port))
    names, told = Names("127.0.0.1"), json.loads(limits)
    connection.WHOLE = told.pop("whole", connection.WHOLE)
    server.serve(load(), load, listening, names, token or None, Limits(**told))


if __name__ == "__main__":
    if sys.argv[1] == "make":
        for seed, when in enumerate(("now", "later")):
            make(Path(sys.argv[2]) / when, seed)
    else:
        serve(*sys.argv[2:])
