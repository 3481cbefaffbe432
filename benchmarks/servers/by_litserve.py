"""The exported file behind LitServe, with its batching. python by_litserve.py FOLDER PORT"""

import sys

import litserve
import numpy as np
from ai_edge_litert.interpreter import Interpreter


class Api(litserve.LitAPI):
    def setup(self, device):
        self.model = Interpreter(f"{sys.argv[1]}/export/model.tflite", num_threads=1)
        self.rows = 0

    def decode_request(self, request):
        return np.array(request["rows"], np.uint8)

    def batch(self, inputs):
        return np.concatenate(inputs)

    def predict(self, x):
        (input_,), (output,) = self.model.get_input_details(), self.model.get_output_details()
        if len(x) != self.rows:
            self.model.resize_tensor_input(input_["index"], x.shape)
            self.model.allocate_tensors()
            self.rows = len(x)
        self.model.set_tensor(input_["index"], x)
        self.model.invoke()
        return self.model.get_tensor(output["index"])

    def unbatch(self, output):
        return list(output)

    def encode_response(self, chances):
        return {"answers": [int(chances.argmax())], "confidence": [float(chances.max())]}


if __name__ == "__main__":
    api = Api(max_batch_size=int(sys.argv[3]), batch_timeout=float(sys.argv[4]))
    server = litserve.LitServer(api, accelerator="cpu")
    server.run(
        port=int(sys.argv[2]), host="127.0.0.1", log_level="warning", generate_client_file=False
    )
