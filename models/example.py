"""Models of your own: `family: function` and `function: models.example:residual` in params.yaml take this one.

A function gets what is known of the data, and returns a Keras model that is not compiled. A change in this folder
builds again; what a file here imports of the project must be in this folder too.
"""

import keras
from keras import layers


def residual(schema: dict) -> keras.Model:
    """A convolutional network with shortcuts, for images of ten classes or so."""
    inputs = keras.Input(schema["input_shape"])
    x = inputs if len(inputs.shape) == 4 else layers.Reshape((*schema["input_shape"], 1))(inputs)
    for filters in (16, 32, 64):
        x = layers.Conv2D(filters, 3, strides=2, padding="same", activation="relu")(x)
        shortcut = x
        x = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
        x = layers.Add()([x, shortcut])
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(schema["classes"], activation="softmax")(x))
