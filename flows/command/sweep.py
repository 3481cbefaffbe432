"""Try other parameters of a pipeline, and show which are better. No trial sees the test rows."""

from __future__ import annotations

import argparse
import textwrap
import time

import rich
from rich.text import Text

from flows.command.help import command_line
from flows.command.terminal import (
    GRAY,
    NARROW,
    ORANGE,
    counted,
    plain_errors,
    say,
    stop_when_nobody_reads,
)
from flows.command.train import begin, check_data, fail, leave, wait_for
from flows.engine.processes import waits
from flows.engine.rounds import Table
from flows.engine.side_by_side import MOST
from flows.project import edit, sweeps, textfile
from flows.project.folder import Project
from flows.project.sweeps import Range, Sweep
from tasks.core.digits import digits
from tasks.sweeps.table import word

WIDTH = 13  # of the words at the left
EXAMPLE = """\
examples:
  python -m flows sweep fashion --plan         show what would be tried
  python -m flows sweep fashion --workers 2    two trials side by side
  python -m flows sweep fashion --apply        adopt the best parameters

What is tried stands in params.yaml under `sweeps:`. If there is nothing for the pipeline, a sweep
is proposed and written there. A sweep that was stopped goes on when it is started again."""


def main(arguments: list[str]) -> int:
    parser = command_line("sweep", __doc__, EXAMPLE)
    parser.add_argument("pipeline", help="a section of params.yaml, such as fashion")
    parser.add_argument("--plan", action="store_true", help="show what would be tried; try nothing")
    parser.add_argument("--workers", type=int, default=1, help="trials side by side (1)")
    parser.add_argument(
        "--apply", action="store_true", help="write the best parameters into params.yaml"
    )
    parser.add_argument("--on", metavar="ADDRESS", help="a Dask scheduler: tcp://127.0.0.1:8786")
    parser.add_argument("-v", "--verbose", action="store_true", help="show Prefect's log as well")
    options = parser.parse_args(arguments)
    if not 0 < options.workers <= MOST:
        parser.error(f"--workers is {options.workers}, expected 1 to {MOST}")

    project = Project.here()
    with plain_errors() as end:
        # Before anything is written.
        check_data(project, options.pipeline, project.read(options.pipeline).load.path)
        chosen = read_or_propose(project, options.pipeline, options.plan)
        if chosen and options.plan:
            show_plan(project, chosen)
        elif chosen:
            end.code = sweep(project, chosen, options)
    return end.code


def read_or_propose(project: Project, pipeline: str, plan: bool) -> Sweep | None:
    """The sweep of params.yaml. If there is none, one is proposed, shown and written there.

    Args:
        plan: whether a proposal is only shown.
    """
    found = sweeps.read(project, pipeline)
    if found:
        return found

    from flows.guess import space  # here: pandas takes a second to import

    values = space.propose(project.read(pipeline))
    lines = space.lines(pipeline, values)

    def longer(text: str) -> str:
        there = pipeline in (edit.content(text).get("sweeps") or {})  # another sweep was faster
        return text if there else edit.with_sweep(text, pipeline, lines, values)

    longer(textfile.text_of(project.params_file))  # what is in the way is said first
    done = "would be" if plan else "is"
    say(Text(f"params.yaml has no sweep of {pipeline}. This one {done} written there:", "bold"))
    console = rich.get_console()
    for line in lines:  # as they stand in the file: to be copied
        for part in _wrapped(line, console.width) if console.is_terminal else [line]:
            console.print(Text(part), soft_wrap=True)
    if plan:
        return None
    textfile.change(project.params_file, longer)
    say(Text())
    return sweeps.read(project, pipeline)


def _wrapped(line: str, width: int) -> list[str]:
    """A line of YAML whose comment goes on below itself: to copy it still means the same."""
    value, mark, comment = line.partition("# ")
    room = width - len(value) - len(mark)
    if len(line) <= width or not mark or room < NARROW:
        return [line]
    first, *more = textwrap.wrap(comment, room, break_long_words=False, break_on_hyphens=False)
    return [value + mark + first, *(" " * len(value) + mark + part for part in more)]


def show_plan(project: Project, chosen: Sweep) -> None:
    """Say what would be tried."""
    asked, now = chosen.params, chosen.sections({})
    say(Text(f"{_trials(chosen)}, search {asked.search}", "bold"))
    say(Text(f"the best has the {'highest' if chosen.maximize else 'lowest'} {asked.objective}"))
    if asked.halving:
        steps = ", then the best of them ".join(str(epochs) for epochs in asked.halving)
        say(Text(f"all of a round train {steps} epochs"))
    width = max(map(len, chosen.space)) + 2
    say(Text(f"\n{'parameter':{width}}{'now':16}tried", "bold"))
    for key, domain in chosen.space.items():
        section, _, name = key.partition(".")
        value = now[section].get(name)
        say(Text(f"{key:{width}}{word(value):16}{_tried(domain)}"), width + 16)
    count = _known(project, chosen)
    say(Text(f"\n{count} of {asked.trials} trials are known and need no training", GRAY))


def _trials(chosen: Sweep) -> str:
    trials = chosen.params.trials
    rounds = f" in rounds of {chosen.at_once}" if chosen.at_once < trials else ""
    return counted(trials, "trial") + rounds


def _known(project: Project, chosen: Sweep) -> int:
    from flows.engine import rounds  # here: DVC takes half a second to import
    from flows.engine.trial import BEFORE, Trials
    from flows.memory.plan import UNCHANGED, plan

    shared = [step.action for step in plan(project, chosen.name) if step.step in BEFORE]
    if set(shared) != {UNCHANGED}:  # other rows make other trials
        return 0
    return rounds.known(project, chosen, Trials(project, chosen).find)


def _tried(domain: Range | list) -> str:
    if isinstance(domain, list):
        return ", ".join(map(word, domain))
    return f"{domain.low:g} to {domain.high:g}{', logarithmic' if domain.log else ''}"


def sweep(project: Project, chosen: Sweep, options: argparse.Namespace) -> int:
    """Run the flow and say what was found."""
    started = time.monotonic()
    stop_when_nobody_reads()
    say(Text(f"{chosen.name}: {_trials(chosen)}", "bold"))
    server = begin(project, options.verbose)

    from flows import sweep as flow  # here: Prefect takes seconds, in which the server starts
    from flows.server import runs

    wait_for(server)
    tables: list[Table] = []
    flow.concluded = tables.append  # type: ignore[assignment] # of another name
    runs.server_is_away = leave
    with runs.signed():
        state = flow.run_sweep(
            chosen.name, options.workers, options.apply, options.on, return_state=True
        )

    seconds = time.monotonic() - started - sum(waits)
    if not state.is_completed():
        return fail(state, seconds)
    _show(project, tables[0], options.apply)
    say(Text(f"done in {seconds:.1f} s"))
    return 0


def _show(project: Project, table: Table, apply: bool) -> None:
    """The best trial as a difference of parameters, and where everything is."""
    from flows.engine.experiment import result_here  # here: DVC takes half a second to import

    objective = table.sweep.params.objective
    here = result_here(project, table.sweep.name).metrics.get(objective)
    name, gains = table.sweep.name, table.gains
    say(Text(f"\n{table.so_far()}: trial {table.ranked[0]}", "bold"))
    for line in gains:
        say(Text(f"  {line}"), 2)
    if gains and not apply and here is not None and table.is_worse_than(here):
        say(Text(f"  params.yaml has better ones: {objective} {digits(here)}", ORANGE))
    if not gains:
        say(Text("  params.yaml has its parameters already"))
    elif apply:
        say(Text(f"written into params.yaml. To train it: python -m flows train {name}"))
    else:
        say(Text(f"To adopt it: python -m flows sweep {name} --apply", GRAY))

    say(Text(f"\n{'table':{WIDTH}}data/{name}/sweep.csv"))
    say(Text(f"{'picture':{WIDTH}}data/{name}/sweep.png"))
    if table.experiments:
        shown = f"{table.experiments[0]} and {len(table.experiments) - 1} more: "
        shown += f"python -m flows compare {name}"
        say(Text(f"{'experiments':{WIDTH}}{shown}"))
