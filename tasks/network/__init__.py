"""Keras: imported quietly, asked for models, and fed with rows."""
