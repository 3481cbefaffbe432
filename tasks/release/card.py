"""Card: the page that goes with a model, with a picture, in git beside its scores."""

from __future__ import annotations

from pydantic import Field

from tasks.core.folder import Folder
from tasks.core.step import Section


class Params(Section):
    use: str = Field(description="What the model is for, in Markdown; empty: not stated.")
    limits: str = Field(description="What it is not for, in Markdown; empty: not stated.")
    license: str = Field(
        description="Of the model, as Hugging Face names it, such as `apache-2.0`; empty: not "
        "stated."
    )


def card(folder: Folder, params: Params) -> str:
    """Read what the steps and the export have written; write `card.md` and `card.png`.

    Args:
        folder: the pipeline's folder.
        params: see `Params`.
    """
    from tasks.card import facts, page, picture  # here: a step's file is light

    known = facts.known(folder)
    picture.draw(folder)
    folder.write_text("card.md", page.page(known, params.use, params.limits, params.license))
    unstated = [key for key in Params.model_fields if not getattr(params, key).strip()]
    return f"{folder.shown('card.md')}" + (
        f"; not stated: {', '.join(unstated)}" if unstated else ""
    )
