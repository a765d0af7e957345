"""What happens at the door: refusals as one paragraph and exit code 2, an interruption as 130, bugs with their traceback."""

from __future__ import annotations

import errno
import json
import os
import sys
import textwrap
from typing import Any, Final

import typer
from typer.core import TyperGroup

REFUSED: Final = 2
INTERRUPTED: Final = 130
PARAGRAPH_WIDTH: Final = 100
SCHEMA: Final = "spinelab.refusal/1"
_RESUMES: Final = "Finished work is kept; the same command with --resume goes on from it."
KEPT: Final = {
    "fit": _RESUMES,
    "compare": _RESUMES,
    "read": _RESUMES,
}
"""What an interruption leaves of a command's work, and how to go on."""


class Door(TyperGroup):
    """The group of commands; a `SpinelabError` never reaches the user as a traceback."""

    def invoke(self, ctx: Any) -> Any:
        as_json = "--json" in ctx.args
        try:
            answer = super().invoke(ctx)
            sys.stdout.flush()
        except KeyboardInterrupt:
            raise _interrupted(ctx.invoked_subcommand, as_json) from None
        except SystemExit as leaving:
            # Lightning turns Ctrl-C into an exit with code 1.
            if isinstance(leaving.__context__, KeyboardInterrupt):
                raise _interrupted(ctx.invoked_subcommand, as_json) from None
            raise
        except OSError as error:
            refused = _leave_quietly(error) or _explained(error, as_json)
            if refused is None:
                raise
            raise refused from error
        except Exception as error:
            refused = _refusal(error, as_json)
            if refused is None:
                raise
            raise refused from error
        return answer


def _interrupted(command: str | None, as_json: bool) -> typer.Exit:
    kept = KEPT.get(command or "", "")
    _say(" ".join(("Interrupted.", *filter(None, [kept]))))
    if as_json:
        _tell("Interrupted", "a run that comes to its end", kept)
    return typer.Exit(INTERRUPTED)


def _refusal(error: Exception, as_json: bool) -> typer.Exit | None:
    """Say a refusal; ``None`` for what is none, such as a bug. Wrong words on the command line are said by Typer itself, beside what a program is told."""
    from spinelab.core import SpinelabError

    if isinstance(error, SpinelabError):
        _say(f"Cannot go on: {error}")
        if as_json:
            _tell(error.given, error.expected, error.action)
        return typer.Exit(REFUSED)
    if as_json and hasattr(error, "format_message"):
        _tell(error.format_message(), "the arguments and options that --help lists", "correct the command")
    return None


def _tell(given: str, expected: str, action: str) -> None:
    """Print a refusal as the one JSON document that a program asked for."""
    typer.echo(json.dumps({"schema": SCHEMA, "given": given, "expected": expected, "action": action}, indent=2, ensure_ascii=False))


def _explained(error: OSError, as_json: bool) -> typer.Exit | None:
    from spinelab.serve.places import explain_os_error

    message = explain_os_error(error)
    return None if message is None else _refusal(message, as_json)


def _leave_quietly(error: OSError) -> typer.Exit | None:
    """Accept that the reader of our output has gone, as after ``| head``."""
    if error.errno != errno.EPIPE:
        return None
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return typer.Exit(0)


def _say(message: str) -> None:
    text = " ".join(message.split())
    if sys.stderr.isatty():
        text = textwrap.fill(text, PARAGRAPH_WIDTH, break_long_words=False, break_on_hyphens=False)
    typer.echo(text, err=True)
