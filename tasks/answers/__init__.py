"""A trained model's answers to new rows, which are read as the training rows were.

- `reading.py`: new rows from any file, as the model sees them.
- `asking.py`: the trained model, and what it answers.
- `telling.py`: the answers in words, a row for each.
- `score.py`: what they are worth where the rows have labels.
"""
