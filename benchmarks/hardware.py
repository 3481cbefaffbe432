"""The parameters that choose how the hardware is used: seconds of an epoch for each, and what they do to the loss.

python benchmarks/hardware.py [--rounds 3]
"""

from __future__ import annotations

import argparse

from common import epoch_seconds, need, scratch, train

ROWS = 15_000
CHOICES = (
    {},
    {"steps_per_execution": 1},
    {"steps_per_execution": 20},
    {"steps_per_execution": 1000},
    {"jit_compile": False},
    {"jit_compile": False, "steps_per_execution": 1},
    {"dtype_policy": "mixed_bfloat16"},
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    need("normalized.npz", "schema.json")
    print(f"{ROWS:,} images; seconds of an epoch, medians of {rounds}\n")
    print("| | seconds | after 3 epochs |\n|---|---|---|")
    for choice in CHOICES:
        with scratch() as place:
            seconds = epoch_seconds(place, ROWS, rounds, **choice)
            said = train(place, ROWS, 3, **choice).output.strip().splitlines()[-1].partition("lowest ")[2]
        name = ", ".join(f"`{key}: {value}`" for key, value in choice.items()) or "as in params.yaml"
        print(f"| {name} | {seconds:.2f} | {said} |", flush=True)


if __name__ == "__main__":
    main()
