"""The command line: reads words, calls `spinelab.serve.api`, prints what came back.

Start-up imports typer only; numpy, torch and the tasks are imported by the command that needs them.
"""

from spinelab.serve.cli.app import app, main

__all__ = ["app", "main"]
