"""How the parameters for the hardware change the seconds of an epoch, and the loss.

python benchmarks/hardware.py [--rounds 3]
"""

from __future__ import annotations

from common import epoch_seconds, need, rounds, scratch, train

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
    count = rounds(__doc__)
    need("normalized.npz", "schema.json")
    print(f"{ROWS:,} images; seconds of an epoch, medians of {count}\n")
    print("| | seconds | after 3 epochs |\n|---|---|---|")
    for choice in CHOICES:
        with scratch() as place:
            seconds = epoch_seconds(place, ROWS, count, **choice)
            said = (
                train(place, ROWS, 3, **choice)
                .output.strip()
                .splitlines()[-1]
                .partition("lowest ")[2]
            )
        name = (
            ", ".join(f"`{key}: {value}`" for key, value in choice.items()) or "as in params.yaml"
        )
        print(f"| {name} | {seconds:.2f} | {said} |", flush=True)


if __name__ == "__main__":
    main()
