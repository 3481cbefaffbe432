"""What a model must reach to pass."""

from tasks.core.step import UserError


def check_criterion(params, labels: str) -> None:
    wrong, right = ("min_accuracy", "max_mse") if labels == "regression" else ("max_mse", "min_accuracy")
    if getattr(params, wrong) is not None:
        raise UserError(f"evaluate.{wrong} cannot be measured: the labels are {labels}. Set it to null, and {right}.")
