"""What can go wrong, as the user sees it.

    SpinelabError            shown as one paragraph, exit code 2, never a traceback
    ├── InputError           a file, folder or table that cannot be used as given
    ├── TaskError            a task, model or setting that does not exist or does not fit
    └── NotSureError         a quality gate refuses to answer: no answer is the honest one

Anything else that escapes is a bug in spinelab and keeps its traceback.
"""

from __future__ import annotations


class SpinelabError(Exception):
    """A refusal in three parts: what was given, what is expected, what to do.

    Parameters
    ----------
    given
        What was found, naming the file, column, key or value.
    expected
        What would have been accepted.
    action
        What the user can do next.
    """

    def __init__(self, given: str, *, expected: str, action: str) -> None:
        self.given, self.expected, self.action = given, expected, action
        super().__init__(given, expected, action)

    def __str__(self) -> str:
        parts = (self.given, f"Expected: {self.expected}", f"To do: {self.action}")
        return " ".join(part.rstrip(". ") + "." for part in parts)

    def __reduce__(self) -> tuple[object, ...]:
        """Keep the three parts when the error crosses a process boundary."""
        return _rebuild, (type(self), self.given, self.expected, self.action)


class InputError(SpinelabError):
    """A file, folder or table that cannot be used as given."""


class TaskError(SpinelabError):
    """A task, model or setting that does not exist or does not fit."""


class NotSureError(SpinelabError):
    """A quality gate refuses to answer."""


def _rebuild(kind: type[SpinelabError], given: str, expected: str, action: str) -> SpinelabError:
    return kind(given, expected=expected, action=action)
