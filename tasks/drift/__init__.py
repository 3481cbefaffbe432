"""Whether new rows differ from the validation rows, as a model sees both.

- `series.py`: what is compared, a column of numbers for each.
- `validation.py`: these numbers of the validation rows, in a file.
- `statistics.py`: the three tests, and how large a difference is.
- `findings.py`: all differences between two samples, the surest first, in sentences.
- `watch.py`: a sample of the new rows in flat memory, and the comparison at their end.
- `picture.py`: `NAME.drift.png`, beside the file of answers.
"""
