"""Models of your own. `family: function` and `function: models.example:residual` use this one.

A function gets the content of `schema.json` and returns a Keras model that is not compiled. After a
change in this folder the model is built again; so a file here may import no other project files.
"""

import keras
from keras import layers


def residual(schema: dict) -> keras.Model:
    """A convolutional network with shortcuts, for images of about ten classes."""
    inputs = keras.Input(schema["input_shape"])
    gray = len(inputs.shape) == 3
    x = layers.Reshape((*schema["input_shape"], 1))(inputs) if gray else inputs

    for filters in (16, 32, 64):
        x = layers.Conv2D(filters, 3, strides=2, padding="same", activation="relu")(x)
        shortcut = x
        x = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
        x = layers.Add()([x, shortcut])

    x = layers.GlobalAveragePooling2D()(x)
    outputs = layers.Dense(schema["classes"], activation="softmax")(x)
    return keras.Model(inputs, outputs)
