"""The exported file behind BentoML, in batches. FOLDER=... bentoml serve by_bentoml:Served"""

import os

import bentoml
import numpy as np
from ai_edge_litert.interpreter import Interpreter


@bentoml.service(traffic={"timeout": 60}, workers=1)
class Served:
    def __init__(self) -> None:
        self.model = Interpreter(f"{os.environ['FOLDER']}/export/model.tflite", num_threads=1)
        self.rows = 0

    @bentoml.api(batchable=True, max_batch_size=64, max_latency_ms=10_000)
    def predict(self, rows: np.ndarray) -> np.ndarray:
        x = np.asarray(rows, np.uint8)
        (input_,), (output,) = self.model.get_input_details(), self.model.get_output_details()
        if len(x) != self.rows:
            self.model.resize_tensor_input(input_["index"], x.shape)
            self.model.allocate_tensors()
            self.rows = len(x)
        self.model.set_tensor(input_["index"], x)
        self.model.invoke()
        return self.model.get_tensor(output["index"])
