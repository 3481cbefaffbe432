"""A trained model behind HTTP. No TensorFlow, DVC or Prefect is imported for it.

- `model.py`: the exported file, checked against DVC's records, and what it answers.
- `batch.py`: requests that come at once are answered in one call of the model.
- `service.py`: the model of the moment, which a newer one may take over, and who waits for it.
- `app.py`: the routes; `body.py`, `protocol.py`: what may be sent to them.
- `describe.py`, `example.py`: what the model takes, for OpenAPI and for the page.
- `guard.py`, `connection.py`: limits, and who may ask.
- `counts.py`: what Prometheus is told.
- `server.py`: the process, and its signals.
"""
