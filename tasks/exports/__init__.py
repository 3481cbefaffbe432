"""Models for other programs: one file or folder with the scaling inside. One module a format.

Each module has

- `NAME`: what the exported file or folder is called;
- `write(asked, path)`: writes it; for a process of its own, as it imports TensorFlow;
- `open(path, threads)`: opens it for questions, as a `Model`.

- `base.py`: what a program asks, whatever the format.
- `scaled.py`: a trained model with its scaling in front, without Keras.
- `convert.py`: a process that writes one export.
"""

from tasks.exports import litert, onnx, saved_model

FORMATS = {
    "litert": litert,
    "onnx": onnx,
    "saved_model": saved_model,
}
