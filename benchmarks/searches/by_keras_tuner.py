"""KerasTuner, which keeps its trials in a folder."""

import keras_tuner
from training import DROPOUTS, RATES, SIZES, TRIALS, fit, network, write


class Model(keras_tuner.HyperModel):
    def build(self, hp):
        rate = hp.Float("rate", *RATES, sampling="log")
        return network(rate, hp.Float("dropout", *DROPOUTS))

    def fit(self, hp, model, callbacks=(), **more):
        return fit(model, hp.Choice("size", SIZES), callbacks)


# Not 0: it takes that for none.
tuner = keras_tuner.RandomSearch(
    Model(), "val_loss", max_trials=TRIALS, seed=1, directory=".", project_name="tuned"
)
tuner.search()
trials = [tuner.oracle.trials[number] for number in tuner.oracle.start_order]
write([*trial.hyperparameters.values.values(), trial.score] for trial in trials)
