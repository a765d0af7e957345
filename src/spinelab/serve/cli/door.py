"""What happens at the door: refusals as one paragraph and exit code 2, an interruption as 130, bugs with their traceback."""

from __future__ import annotations

import errno
import os
import sys
import textwrap
from typing import Any, Final

import typer
from typer.core import TyperGroup

REFUSED: Final = 2
INTERRUPTED: Final = 130
PARAGRAPH_WIDTH: Final = 100
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
        try:
            answer = super().invoke(ctx)
            sys.stdout.flush()
        except KeyboardInterrupt:
            raise _interrupted(ctx.invoked_subcommand) from None
        except SystemExit as leaving:
            # Lightning turns Ctrl-C into an exit with code 1.
            if isinstance(leaving.__context__, KeyboardInterrupt):
                raise _interrupted(ctx.invoked_subcommand) from None
            raise
        except OSError as error:
            refused = _leave_quietly(error) or _explained(error)
            if refused is None:
                raise
            raise refused from error
        except Exception as error:
            if not _is_refusal(error):
                raise
            _say(f"Cannot go on: {error}")
            raise typer.Exit(REFUSED) from error
        return answer


def _interrupted(command: str | None) -> typer.Exit:
    _say(" ".join(("Interrupted.", *filter(None, [KEPT.get(command or "")]))))
    return typer.Exit(INTERRUPTED)


def _is_refusal(error: Exception) -> bool:
    from spinelab.core import SpinelabError

    return isinstance(error, SpinelabError)


def _explained(error: OSError) -> typer.Exit | None:
    from spinelab.serve.places import explain_os_error

    message = explain_os_error(error)
    if message is None:
        return None
    _say(f"Cannot go on: {message}")
    return typer.Exit(REFUSED)


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
