"""Where data may come from. A new source is a module here, and its line in SOURCES.

Such a module has `Params`, the section `load` of `params.yaml` for this source, and
`find(params, folder)`, which returns a `Dataset`.
"""

from tasks.sources import csv, fashion_mnist, idx, images, line, npz, parquet

SOURCES = {
    "fashion_mnist": fashion_mnist,
    "line": line,
    "idx": idx,
    "npz": npz,
    "images": images,
    "csv": csv,
    "parquet": parquet,
}
