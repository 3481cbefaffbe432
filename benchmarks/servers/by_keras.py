"""What a tutorial would write: FastAPI around Keras's `predict`. python by_keras.py FOLDER PORT"""

import sys
from typing import Any

import keras
import numpy as np
import uvicorn
from fastapi import FastAPI

model = keras.models.load_model(f"{sys.argv[1]}/model.keras")
app = FastAPI()


@app.post("/predict")
def predict(body: dict[str, Any]) -> dict[str, Any]:
    chances = model.predict(np.array(body["rows"]) / 255, verbose=0)
    return {"answers": chances.argmax(1).tolist(), "confidence": chances.max(1).tolist()}


uvicorn.run(app, port=int(sys.argv[2]), access_log=False, log_level="warning")
