"""The door: one clear paragraph and exit code 2 for a refusal, 130 for an interruption, a traceback for a bug."""

import errno
import json
import subprocess
import sys
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from spinelab.core import InputError
from spinelab.serve.cli.door import Door
from spinelab.serve.cli.progress import Lines, duration


def raising(error: BaseException, name: str = "work") -> typer.Typer:
    app = typer.Typer(cls=Door, pretty_exceptions_enable=False)

    @app.callback()
    def main() -> None:
        """Two commands make a group."""

    @app.command(name)
    def work(as_json: Annotated[bool, typer.Option("--json")] = False) -> None:
        raise error

    return app


def outcome(error: BaseException, name: str = "work", *more: str):
    return CliRunner().invoke(raising(error, name), [name, *more])


def test_a_refusal_is_one_paragraph() -> None:
    result = outcome(InputError("films.csv is\nempty", expected="one row an image", action="write one row an image"))
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr == "Cannot go on: films.csv is empty. Expected: one row an image. To do: write one row an image.\n"


@pytest.mark.parametrize(
    ("error", "code", "given"),
    [
        (InputError("films.csv is empty", expected="one row an image", action="write one"), 2, "films.csv is empty"),
        (OSError(errno.ENOSPC, "No space left on device", "out/weights"), 2, "out/weights: the disk is full"),
        (KeyboardInterrupt(), 130, "Interrupted"),
    ],
)
def test_a_program_is_told_a_refusal_as_one_json_document(error: BaseException, code: int, given: str) -> None:
    result = outcome(error, "read", "--json")
    assert result.exit_code == code
    told = json.loads(result.stdout)
    assert (told["schema"], told["given"]) == ("spinelab.refusal/1", given)
    assert set(told) == {"schema", "given", "expected", "action"}
    assert result.stderr, "people are told as before"


def test_wrong_words_are_told_as_json_too() -> None:
    result = outcome(InputError("never", expected="raised", action=""), "work", "--json", "--frobnicate")
    assert result.exit_code == 2
    assert "--frobnicate" in json.loads(result.stdout)["given"]
    assert "--frobnicate" in result.stderr


def test_a_full_disk_is_a_refusal() -> None:
    result = outcome(OSError(errno.ENOSPC, "No space left on device", "out/weights"))
    assert result.exit_code == 2
    assert "out/weights: the disk is full" in result.stderr


def test_an_interruption_says_how_to_go_on() -> None:
    for command in ("fit", "compare", "read"):
        result = outcome(KeyboardInterrupt(), command)
        assert result.exit_code == 130
        assert "--resume" in result.stderr


def test_an_interruption_promises_no_resume_to_a_command_that_has_none() -> None:
    assert outcome(KeyboardInterrupt(), "evaluate").stderr == "Interrupted.\n"


def test_an_interruption_that_became_an_exit_is_still_one() -> None:
    leaving = SystemExit(1)
    leaving.__context__ = KeyboardInterrupt()
    assert outcome(leaving).exit_code == 130
    assert outcome(SystemExit(3)).exit_code == 3


def test_a_bug_keeps_its_traceback() -> None:
    result = outcome(ZeroDivisionError("bug"))
    assert isinstance(result.exception, ZeroDivisionError)


def test_an_unrelated_os_error_is_a_bug() -> None:
    assert isinstance(outcome(OSError(errno.ECONNRESET, "reset")).exception, ConnectionResetError)


@pytest.mark.parametrize("command", ["", "compare", "fit", "read", "evaluate", "baselines", "score", "tasks", "doctor", "phantom"])
def test_every_command_has_help(command: str) -> None:
    from spinelab.serve.cli import app

    result = CliRunner().invoke(app, [*command.split(), "--help"])
    assert result.exit_code == 0
    assert "Usage" in result.stdout


@pytest.mark.parametrize(
    "words", [["compare"], ["compare", "images"], ["no-such-verb"], ["phantom", "images", "--out", "x", "-n", "0"], ["fit", "images", "--folds", "2"]]
)
def test_wrong_usage_leaves_with_two(words: list[str]) -> None:
    from spinelab.serve.cli import app

    assert CliRunner().invoke(app, words).exit_code == 2


def test_version() -> None:
    from spinelab import __version__
    from spinelab.serve.cli import app

    assert CliRunner().invoke(app, ["--version"]).stdout == f"spinelab {__version__}\n"


def test_a_reader_that_leaves_is_no_error() -> None:
    script = f"{sys.executable} -m spinelab --help | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr


def test_progress_lines_come_seldom(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    clock = iter([0.0, 1.0, 21.0, 22.0, 41.0, 60.0])
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    lines = Lines()
    for done in range(4):
        lines(done, 4, f"step {done}")
    lines(0, 9, "another piece of work")
    assert capsys.readouterr().err.splitlines() == [
        " 25% step 1, about 1 min 0 s left",
        " 75% step 3, about 13 s left",
        "  0% another piece of work",
    ]


def test_time_in_which_nothing_advances_is_no_part_of_the_speed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    told = ((0.0, 0), (20.0, 0), (320.0, 0), (340.0, 1), (400.0, 1), (420.0, 2))
    times = iter([0.0, *(now for now, _ in told)])
    monkeypatch.setattr("time.monotonic", lambda: next(times))
    lines = Lines()
    for _, done in told:
        lines(done, 4, "cnn")
    assert capsys.readouterr().err.splitlines() == ["  0% cnn", "  0% cnn", " 25% cnn, about 1 min 0 s left", " 25% cnn", " 50% cnn, about 40 s left"]


def test_no_time_is_stated_where_nothing_is_left_and_never_none_where_something_is(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    clock = iter([0.0, 1.0, 21.0, 41.0])
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    lines = Lines()
    for done in (0, 999, 1000):
        lines(done, 1000, "training")
    assert capsys.readouterr().err.splitlines() == ["100% training, about 1 s left", "100% training"]


@pytest.mark.parametrize(("seconds", "text"), [(0, "0 s"), (59.6, "1 min 0 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")])
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text
