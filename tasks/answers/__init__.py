"""A trained model's answers to new rows, which are read as the training rows were.

- `reading.py`: new rows from any file, as the model sees them.
- `sent.py`: rows of a request, as an exported model takes them.
- `telling.py`: the answers in words, a row for each.
- `choices.py`: the classes that a model finds most probable.
- `score.py`: what they are worth where the rows have labels.
"""
