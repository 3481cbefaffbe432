"""Optuna, which keeps its trials in SQLite.

A heartbeat tells of a trial whose process is gone, and it is tried again: as its manual proposes.
"""

import optuna
from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback
from optuna.trial import TrialState
from training import DROPOUTS, RATES, SIZES, TRIALS, train, write

DONE = (TrialState.COMPLETE,)


def objective(trial):
    rate = trial.suggest_float("rate", *RATES, log=True)
    dropout = trial.suggest_float("dropout", *DROPOUTS)
    return train(rate, dropout, trial.suggest_categorical("size", SIZES))


study = optuna.create_study(
    storage=RDBStorage(
        "sqlite:///study.db",
        heartbeat_interval=5,
        heartbeat_stale_trial_callback=RetryHeartbeatStaleTrialCallback(),
    ),
    study_name="tuned",
    sampler=optuna.samplers.RandomSampler(seed=0),
    load_if_exists=True,
)
if len(study.get_trials(states=DONE)) < TRIALS:
    study.optimize(objective, callbacks=[optuna.study.MaxTrialsCallback(TRIALS, states=DONE)])
write([*trial.params.values(), trial.value] for trial in study.get_trials(states=DONE))
