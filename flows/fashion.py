"""Fashion-MNIST: ten kinds of clothes, classified by a network of dense layers.

python flows/fashion.py --help
"""

import sys
from pathlib import Path

# So that this file can be started from any folder, and through a symbolic link.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from flows.command import train

if __name__ == "__main__":
    sys.exit(train.main(["fashion", *sys.argv[1:]]))
