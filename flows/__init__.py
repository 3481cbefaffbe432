"""The flows of the project, and all that runs its steps. `python -m flows` lists the commands."""

import sys
from importlib.util import find_spec

from flows.engine import loader

# Another Python than that of the environment: one line in place of a traceback.
missing = [name for name in ("dvc", "keras", "prefect", "pydantic") if not find_spec(name)]
if missing:
    sys.exit(
        f"{sys.executable} does not have {', '.join(missing)}, which keras-flows needs. "
        "Run `make install`, then `. .venv/bin/activate`."
    )

loader.install()
