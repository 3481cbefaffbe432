"""Six points on y = x + 6, learned by a network of two weights: it takes seconds.

python flows/linear.py --help
"""

import sys
from pathlib import Path

# So that this file can be started from any folder, and through a symbolic link.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from flows.command import train

if __name__ == "__main__":
    sys.exit(train.main(["linear", *sys.argv[1:]]))
