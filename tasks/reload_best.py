"""Step 7, reload_best: after `fit` a model holds the last epoch's weights; put the best ones back: `model.keras`."""

from __future__ import annotations

import json
import tempfile
import zipfile
from pathlib import Path

from tasks.core.folder import Folder
from tasks.core.step import Section

NO_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip file can say


class Params(Section):
    """Nothing to choose."""


def reload_best(folder: Folder, params: Params) -> str:
    """Read `architecture.json`, `compile.json` and `best.weights.h5`; write `model.keras`, ready to predict.

    Raises:
        UserError: an input is missing or damaged.
    """
    from tasks.network.backend import assemble, keras  # here: TensorFlow takes seconds to import

    model = assemble(folder, seed=0)  # these first weights are all overwritten
    with folder.reading("best.weights.h5") as checkpoint:
        model.load_weights(checkpoint)
    with folder.write("model.keras") as path, tempfile.TemporaryDirectory(dir=folder.path) as place:
        saved = Path(place, "model.keras")
        model.save(saved)
        _without_dates(saved, path)
    keras.utils.clear_session()
    folder.scratch("fit.npz").unlink(missing_ok=True)  # the outputs of fit are recorded: nothing is left to continue
    return f"model.keras, {path.parent.joinpath('model.keras').stat().st_size / 2**20:.1f} MiB"


def _without_dates(saved, path) -> None:
    """Copy a `.keras` file without the moment of saving, which Keras writes in two places."""
    with zipfile.ZipFile(saved) as source, zipfile.ZipFile(path, "w") as target:
        for name in sorted(source.namelist()):
            content = source.read(name)
            if name == "metadata.json":
                content = json.dumps(json.loads(content) | {"date_saved": ""}, sort_keys=True).encode()
            target.writestr(zipfile.ZipInfo(name, NO_DATE), content)
