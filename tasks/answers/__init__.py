"""A trained model's answers to new rows, which are read as the training rows were.

- `reading.py`: new rows from any file, as the model sees them.
- `plain.py`: those of a CSV file of numbers alone.
- `sent.py`: rows of a request, as an exported model takes them.
- `choices.py`: the classes that a model finds most probable.
- `telling.py`: the answers as a table, a row for each.
- `file.py`: that table as a CSV file.
- `summary.py`: what all answers are together, and their score where the rows have labels.
- `drawing.py`: pictures of them.
"""
