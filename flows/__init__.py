"""The flows of the project, and all that runs its steps. `python -m flows` lists the commands."""

import sys
from importlib.util import find_spec

if not find_spec("pydantic"):  # another Python than the one of the environment
    sys.exit(
        f"{sys.executable} has none of the packages that keras-flows needs. "
        "Run `make install`, then `. .venv/bin/activate`."
    )
