"""What a family is to `build`: a section of parameters that makes a model."""

from __future__ import annotations

from typing import Any

from tasks.core.folder import Folder
from tasks.core.step import Section


class Family(Section):
    """The parameters of one family of models.

    Keras is handed in, so that reading `params.yaml` does not import TensorFlow.
    """

    family: str

    def check(self, schema: dict) -> None:
        """Refuse what cannot work with the data, before Keras is imported.

        Args:
            schema: the content of `schema.json`.

        Raises:
            UserError: it cannot work.
        """

    def model(self, folder: Folder, schema: dict, keras) -> Any:
        """A Keras model from rows of `schema["input_shape"]` to the output layer.

        Args:
            folder: the pipeline's folder; a `Sequential` model is named after it.
            schema: the content of `schema.json`.
            keras: the library.

        Raises:
            UserError: no model can be made, or none that the later steps could use.
        """
        raise NotImplementedError
