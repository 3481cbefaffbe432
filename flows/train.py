"""Any pipeline of params.yaml, by its name.

python flows/train.py NAME
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that this file can be started from anywhere

from flows.command.train import main

if __name__ == "__main__":
    sys.exit(main(None, __doc__.splitlines()[0]))
