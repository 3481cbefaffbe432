"""The page that goes with a model: what it is for, from which data, how good, how to use it.

- `facts.py`: what is known of a pipeline, from its files.
- `page.py`: `card.md`, with a head as Hugging Face reads it.
- `picture.py`: `card.png`: small, as it is in git, so that a code host shows it.
"""
