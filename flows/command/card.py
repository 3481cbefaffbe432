"""Write the page that goes with a model: data/NAME/card.md, with a picture."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from flows.command.help import command_line
from flows.command.terminal import plain_errors, say
from flows.project import edit, textfile
from flows.project.folder import Project
from tasks.release.card import Params

EXAMPLE = """\
example:
  python -m flows card fashion

What only you know stands in params.yaml under `release:`, `fashion:`, `card:`: what the model is
for (use), what it is not for (limits), and its license. All else comes from the files."""


def main(arguments: list[str]) -> int:
    parser = command_line("card", __doc__, EXAMPLE)
    parser.add_argument("pipeline", help="an exported one, such as fashion")
    options = parser.parse_args(arguments)
    with plain_errors() as end:
        card(Project.here(), options.pipeline)
    return end.code


def card(project: Project, pipeline: str) -> None:
    """Bring the card of a pipeline up to date.

    Raises:
        UserError: the pipeline is not up to date, or was not exported.
    """
    from flows.engine import release  # here: DVC takes half a second to import

    with Console(stderr=True).status("writing"):
        release.check_current(project, pipeline)
        release.check_exported(project, pipeline)
        if project.release(pipeline).card is None:
            empty = dict.fromkeys(Params.model_fields, "")
            textfile.change(
                project.params_file,
                lambda text: edit.with_release(text, pipeline, "card", empty),
            )
        outcome, said = release.bring_up_to_date(project, "card", pipeline)
    words = {"unchanged": "nothing has changed: ", "restored": "restored: "}
    say(Text(words.get(outcome, "") + (said or f"data/{pipeline}/card.md")))
