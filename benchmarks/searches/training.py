"""What each of them trains: a small network, on the rows that the pipeline has normalized."""

import csv
import os
from pathlib import Path

import keras
import numpy as np

# Variables, as Ray trains in processes and folders of its own.
PLACE, ROWS = Path(os.environ["PLACE"]), os.environ["ROWS"]
TRIALS, EPOCHS = int(os.environ["TRIALS"]), int(os.environ["EPOCHS"])
RATES, DROPOUTS, SIZES = (0.0001, 0.01), (0.0, 0.5), [16, 32, 64]


class Told(keras.callbacks.Callback):
    """Writes a line for each epoch: so what was trained is counted, whoever is killed."""

    def on_epoch_end(self, epoch, logs=None):
        with open(PLACE / "epochs.txt", "a") as file:
            file.write(f"{epoch}\n")


def network(rate, dropout):
    keras.utils.set_random_seed(0)  # for each trial: so that it does not depend on those before
    with np.load(ROWS) as rows:
        layers = [keras.Input(rows["x_train"].shape[1:])]
    for units in (64, 32):
        layers += [keras.layers.Dense(units, "relu"), keras.layers.Dropout(dropout)]
    model = keras.Sequential([*layers, keras.layers.Dense(2, "softmax")])
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy")
    return model


def fit(model, size, callbacks=()):
    with np.load(ROWS) as rows:
        return model.fit(
            rows["x_train"],
            rows["y_train"],
            validation_data=(rows["x_val"], rows["y_val"]),
            batch_size=size,
            epochs=EPOCHS,
            callbacks=[*callbacks, Told()],
            verbose=0,
        )


def train(rate, dropout, size):
    """The val_loss of the best epoch."""
    keras.utils.clear_session()
    return min(fit(network(rate, dropout), size).history["val_loss"])


def write(trials):
    """The table: values and val_loss of each trial, in the order in which they were asked for."""
    with open(PLACE / "table.csv", "w", newline="") as file:
        csv.writer(file).writerows(trials)
