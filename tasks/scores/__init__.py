"""The scores on the test rows. To add one: a function and a line in `classes.py`/`regression.py`.

- `criterion.py`: what a model must reach to pass; light, for whoever reads `params.yaml`.
- `asking.py`: the trained model, and what it answers to any rows.
- `verdict.py`: the model's answers to the test rows, and what they are worth.
- `classes.py`, `regression.py`: the two kinds of verdict, each with its table of scores.
"""
