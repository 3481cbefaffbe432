"""How time and memory of a training grow with the images and with the epochs.

python benchmarks/growth.py [--rounds 3]
"""

from __future__ import annotations

import math
import statistics

from common import need, rounds, scratch, train

ROWS, EPOCHS = 15_000, 4


def main() -> None:
    count = rounds(__doc__)
    need("normalized.npz", "schema.json")
    print(
        f"Medians of {count}; one process: import, build, compile, fit. "
        f"1x: {ROWS:,} images, {EPOCHS} epochs\n"
    )
    print("| | 1x | 2x | 4x | exponent |\n|---|---|---|---|---|")
    for what in ("images", "epochs"):
        seconds, memory = [], []
        for factor in (1, 2, 4):
            rows, epochs = (ROWS * factor, EPOCHS) if what == "images" else (ROWS, EPOCHS * factor)
            with scratch() as place:
                runs = [train(place, rows, epochs) for _ in range(count)]
            seconds.append(statistics.median(run.seconds for run in runs))
            memory.append(statistics.median(run.mib for run in runs))
        for name, unit, values in (("time", "s", seconds), ("peak memory", "MiB", memory)):
            exponent = math.log(values[2] / values[0]) / math.log(4)
            cells = " | ".join(
                f"{value:.1f} {unit}" if unit == "s" else f"{value:.0f} {unit}" for value in values
            )
            print(f"| {what}: {name} | {cells} | {exponent:.2f} |", flush=True)


if __name__ == "__main__":
    main()
