"""How `--help` looks: prose fills the terminal's lines, and examples stay in their own."""

from __future__ import annotations

import argparse
import textwrap

MORE = 6  # columns by which an example that is too long for its line goes on


def command_line(verb: str, about: str | None, examples: str = "") -> argparse.ArgumentParser:
    """What reads the arguments of `python -m flows VERB`.

    Args:
        verb: the module's name.
        about: what it does: the module's docstring, which Python may have left out.
        examples: and what else a person should know.
    """
    return argparse.ArgumentParser(
        f"python -m flows {verb}", description=about, epilog=examples, formatter_class=Help
    )


class Help(argparse.HelpFormatter):
    """Paragraphs are apart by an empty line. One with an indented line has a line for each."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n\n".join(_filled(part, width) for part in text.strip().split("\n\n"))


def _filled(paragraph: str, width: int) -> str:
    if "\n " in paragraph:
        return "\n".join(_wrapped(line, width) for line in paragraph.splitlines())
    return _wrapped(" ".join(paragraph.split()), width)


def _wrapped(line: str, width: int) -> str:
    begins = line.startswith(" ")
    return textwrap.fill(
        line,
        width,
        subsequent_indent=" " * MORE * begins,
        break_long_words=False,
        break_on_hyphens=False,
    )
