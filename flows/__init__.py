"""The flows of the project, and all that runs its steps. `python -m flows` lists the commands."""

import gc
import getpass
import io
import os
import sys
import warnings
from importlib.util import find_spec
from pathlib import Path

from flows.engine import loader

# Another Python than that of the environment: one line in place of a traceback.
missing = [name for name in ("dvc", "keras", "prefect", "pydantic") if not find_spec(name)]
if missing:
    sys.exit(
        f"{sys.executable} does not have {', '.join(missing)}, which keras-flows needs. "
        "Run `make install`, then `. .venv/bin/activate`."
    )

loader.install()

# The packages warn of what they do: `-W error` is meant for code of one's own.
if any(option.startswith("error") for option in sys.warnoptions):
    warnings.simplefilter("ignore")

# Imports make a million objects that stay. Looking through them for garbage, every few hundred, is
# a fifth of the time that TensorFlow takes to import.
gc.set_threshold(10_000)

# Of a hook that starts a run: git would take a copy of the project for the project itself.
for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_OBJECT_DIRECTORY"):
    os.environ.pop(name, None)

# In a container the user may be a number alone. DVC asks for a name, and packages for a home.
try:
    getpass.getuser()
except (KeyError, OSError):
    os.environ["LOGNAME"] = str(os.getuid())
try:
    Path.home()
except RuntimeError:
    sys.exit("This user has no home directory: set HOME to a folder, such as HOME=/tmp.")

# A name that the terminal's encoding does not have is shown by its numbers.
for stream in (sys.stdout, sys.stderr):
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")
