"""Whether one model is better than another, on the same test rows.

- `rule.py`: what `promote` in `params.yaml` asks for; light.
- `paired.py`: the tests, and the verdict in a sentence.
- `again.py`: another model's answers to test rows that it has not seen.
"""
