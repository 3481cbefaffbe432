"""Fashion-MNIST: ten kinds of clothes, told apart by a network of dense layers.

python flows/fashion.py --help
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that this file can be started from anywhere

from flows.command.train import main

if __name__ == "__main__":
    sys.exit(main("fashion", __doc__.splitlines()[0]))
