"""Two tiny pipelines, step by step in this process: every output of a linear model and of a cnn.

python -m tests.support.whole FOLDER THREADS
"""

from __future__ import annotations

import sys
from pathlib import Path

from flows.project.folder import Project
from flows.project.steps import STEPS, step
from tasks import evaluate, fit, visualize
from tasks.core.folder import Folder
from tasks.network import threads
from tasks.reload_best import Params, reload_best
from tests.support import tiny
from tests.support.tiny import RUN, changed

CNN = changed(tiny.CNN, filters=[8, 16], batch_norm=True, dropout=0.1)
FIT = changed(tiny.FIT, epochs=2, batch_size=32, flip=True, shift=1)
COUNTS = {"train": 200, "val": 40, "test": 40}


def run(root: Path, number: int) -> None:
    """Write all outputs below `root`, computed with so many threads."""
    threads.use(number)
    linear(root, number)

    tiny.SIDE = 8
    folder = tiny.compiled(root / "data" / "cnn", build_params=CNN, **COUNTS)
    visualize.visualize(folder, visualize.Params(near=0.2))
    fit.fit(folder, changed(FIT, threads=number), RUN)
    reload_best(folder, Params())
    evaluate.evaluate(folder, tiny.EVALUATE)


def linear(root: Path, number: int) -> None:
    project = Project.here()
    (root / "data").mkdir(parents=True)
    (root / "data" / "built-in").symlink_to(project.root / "data" / "built-in")
    chosen, folder = project.read("linear"), Folder(root / "data" / "linear")

    for name in STEPS:
        section = getattr(chosen, name)
        if name == "fit":
            section = changed(section, epochs=20, threads=number)
        step(name).function(folder, section, *([RUN] if step(name).run else []))


if __name__ == "__main__":
    run(Path(sys.argv[1]), int(sys.argv[2]))
