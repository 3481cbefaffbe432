"""The recipe of `params.yaml` as a tutorial would write it: what the pipeline is measured against.

    python benchmarks/plain.py RAW.NPZ

RAW.NPZ is what the step `load` writes (`data/fashion/raw.npz`). No seed is set: after
`keras.utils.set_random_seed`, `model.fit` takes the rows in the same order in every epoch, and the
result is worse.
"""

import os
import sys
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

data = np.load(sys.argv[1])

x_train, x_test = data["x_train"] / 255.0, data["x_test"] / 255.0
y_train, y_test = data["y_train"], data["y_test"]

model = keras.Sequential(
    [
        keras.Input((28, 28)),
        keras.layers.Flatten(),
        keras.layers.Dense(1024, activation="relu"),
        keras.layers.Dense(512, activation="relu"),
        keras.layers.Dense(256, activation="relu"),
        keras.layers.Dense(128, activation="relu"),
        keras.layers.Dense(64, activation="relu"),
        keras.layers.Dense(10, activation="softmax"),
    ]
)
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
with tempfile.TemporaryDirectory() as folder:
    checkpoint = os.path.join(folder, "best.weights.h5")
    model.fit(
        x_train,
        y_train,
        epochs=20,
        batch_size=32,
        validation_data=(x_test, y_test),
        callbacks=[
            keras.callbacks.ModelCheckpoint(checkpoint, save_best_only=True, save_weights_only=True)
        ],
        verbose=2,
    )
    model.load_weights(checkpoint)
loss, accuracy = model.evaluate(x_test, y_test, verbose=0)
print(f"loss {loss:.4f} accuracy {accuracy:.4f}")
