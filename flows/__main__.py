"""The command line: `python -m flows VERB`. Each verb is one module in flows/command."""

import os
import sys
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path

VERBS = {
    "new": "add a pipeline on your own data to params.yaml",
    "plan": "show what would run, and why",
    "train": "train a pipeline; nothing runs that has not changed",
    "sweep": "try other parameters, and show which are better",
    "compare": "list the experiments of a pipeline by their validation scores",
    "predict": "answers of a trained model to new rows",
    "export": "write a trained model for other programs, its scaling inside",
    "serve": "answer HTTP requests with an exported model",
    "card": "write the page that goes with a model",
    "promote": "make a model the champion, if it is shown to be better",
    "history": "say what was the champion when, and why",
    "notify": "let Prefect tell a webhook of failures, drift and new champions",
    "verify": "run the last commit again in a clean place, and compare every hash",
    "remove": "take a pipeline out of params.yaml",
    "tidy": "delete old experiments and runs, and what nobody needs of the cache",
    "push": "send what is new to DVC's remote: results, runs and trials",
    "pull": "take what is new from DVC's remote",
    "ui": "start Prefect's server with its UI",
    "worker": "offer the pipelines in the UI, and run what it starts and schedules",
}
USAGE = "usage: python -m flows VERB [ARGUMENTS]\n\n{}\n\npython -m flows VERB --help says more."


def main(arguments: list[str]) -> int:
    """Returns the exit code."""
    verb, *rest = arguments or ["--help"]
    if verb in ("-h", "--help"):
        print(USAGE.format("\n".join(f"  {name:8} {what}" for name, what in VERBS.items())))
        return 0
    if verb not in VERBS:
        known = ", ".join(VERBS)
        near = get_close_matches(verb, VERBS, n=1)
        meant = f" Did you mean `{near[0]}`?" if near else ""
        print(f"error there is no verb `{verb}`.{meant} There are: {known}.", file=sys.stderr)
        return 2
    return import_module(f"flows.command.{verb}").main(rest)


if __name__ == "__main__":
    if __package__ != "flows":  # asked by its path: Python would not find the project's modules
        folder = Path(__file__).resolve().parents[1]
        sys.exit(f"Run `python -m flows` from the project's folder: cd {folder}")
    try:
        code = main(sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:  # nobody reads on, as in `python -m flows plan fashion | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    sys.exit(code)
