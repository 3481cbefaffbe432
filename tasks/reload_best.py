"""Step 7, reload_best: put the best epoch's weights back, and write `model.keras`.

After `fit` a model holds the weights of the last epoch.
"""

from __future__ import annotations

import io
import json
import zipfile

from tasks.core.folder import Folder
from tasks.core.step import Section

NO_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip file can hold


class Params(Section):
    """Nothing to choose."""


def reload_best(folder: Folder, params: Params) -> str:
    """Read `architecture.json`, `compile.json` and `best.weights.h5`; write `model.keras`.

    Args:
        folder: the pipeline's folder.
        params: none.

    Raises:
        UserError: an input is missing or damaged.
    """
    from tasks.network import saving  # here: TensorFlow takes seconds to import
    from tasks.network.assemble import assemble
    from tasks.network.backend import keras

    model = assemble(folder, seed=0)  # these first weights are all overwritten
    with folder.reading("best.weights.h5") as checkpoint:
        model.load_weights(checkpoint)

    with folder.write("model.keras") as path:
        path.write_bytes(_without_dates(saving.whole(model)))
    keras.utils.clear_session()

    # The outputs of fit are safe: there is nothing left to resume.
    folder.scratch("fit.npz").unlink(missing_ok=True)
    size = (folder.path / "model.keras").stat().st_size
    return f"model.keras, {_in_words(size)}"


def _in_words(size: int) -> str:
    return f"{size / 2**20:.1f} MiB" if size >= 2**20 else f"{size / 2**10:.0f} KiB"


def _without_dates(saved: io.BytesIO) -> bytes:
    """A `.keras` file without the time of saving, which Keras writes in two places."""
    plain = io.BytesIO()
    with zipfile.ZipFile(saved) as source, zipfile.ZipFile(plain, "w") as target:
        for name in sorted(source.namelist()):
            content = source.read(name)
            if name == "metadata.json":
                metadata = json.loads(content) | {"date_saved": ""}
                content = json.dumps(metadata, sort_keys=True).encode()
            target.writestr(zipfile.ZipInfo(name, NO_DATE), content)
    return plain.getvalue()
