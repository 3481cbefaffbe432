"""A model's files, made in memory: HDF5 ends the process when the disk it writes to is full."""

from __future__ import annotations

import io

import h5py

from tasks.network.backend import keras

# Keras's public functions take the path of a file, and nothing else.
saving_lib = keras.src.saving.saving_lib


class _Store(saving_lib.H5IOStore):  # type: ignore[name-defined] # Keras has no types
    """Keras's store of variables, in memory, with the bytes that it has on a disk."""

    def _get_h5_file(self, path_or_io, mode=None):
        return h5py.File(path_or_io, mode or self.mode, driver="core", backing_store=False)


def weights(model: keras.Model) -> bytes:
    """The content of a `.weights.h5` file."""
    store = _Store("in memory", mode="w")
    try:
        saving_lib._save_state(
            model, weights_store=store, assets_store=None, inner_path="", visited_saveables=set()
        )
        store.h5_file.flush()
        return store.h5_file.id.get_file_image()
    finally:
        store.close()


def whole(model: keras.Model) -> io.BytesIO:
    """The content of a `.keras` file, which has the time of saving in it."""
    archive = io.BytesIO()
    saving_lib.save_model(model, archive)
    return archive
