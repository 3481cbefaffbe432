"""What a model must show to replace another."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tasks.core.step import Section, UserError


class Rule(Section):
    level: float = Field(
        gt=0, lt=0.5, description="How often a model that is no better may be promoted: 0.05."
    )
    margin: float = Field(
        ge=0,
        description="The difference that counts, in the score's unit: in accuracy 0.01 is a point.",
    )
    must: Literal["better", "not_worse"] = Field(
        description="`better` by more than the margin, or `not_worse` by as much as the margin."
    )

    @property
    def least(self) -> float:
        """The gain that must be exceeded."""
        return self.margin if self.must == "better" else -self.margin


def check_rule(rule: Rule, pipeline: str) -> None:
    """Refuse what cannot be shown.

    Raises:
        UserError: nothing may be lost, and yet the model need not be better.
    """
    if rule.must == "not_worse" and rule.margin == 0:
        raise UserError(
            f"params.yaml: release.{pipeline}.promote: `must: not_worse` with `margin: 0` asks for "
            "as much as `better`. Set the margin to the loss that you would accept, such as 0.005."
        )
