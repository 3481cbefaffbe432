"""Ray Tune, which keeps its trials in a folder."""

import ray
from ray import tune
from ray.tune.search.basic_variant import BasicVariantGenerator
from training import DROPOUTS, PLACE, RATES, SIZES, TRIALS, train, write


def trial(config):
    tune.report({"val_loss": train(**config)})


space = {
    "rate": tune.loguniform(*RATES),
    "dropout": tune.uniform(*DROPOUTS),
    "size": tune.choice(SIZES),
}
ray.init(num_cpus=2, include_dashboard=False)
trainable = tune.with_resources(trial, {"cpu": 2})
place = str(PLACE / "tuned")
if tune.Tuner.can_restore(place):
    tuner = tune.Tuner.restore(place, trainable, resume_unfinished=True)
else:
    tuner = tune.Tuner(
        trainable,
        param_space=space,
        tune_config=tune.TuneConfig(
            metric="val_loss",
            mode="min",
            num_samples=TRIALS,
            search_alg=BasicVariantGenerator(random_state=0),
        ),
        run_config=tune.RunConfig(name="tuned", storage_path=str(PLACE), verbose=0),
    )
found = sorted(tuner.fit(), key=lambda each: each.metrics["trial_id"])
write([*each.config.values(), each.metrics["val_loss"]] for each in found)
