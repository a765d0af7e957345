import copy
from dataclasses import dataclass

import pytest

from spinelab.core import InputError, Settings, TaskError, setting


@dataclass(frozen=True)
class Example(Settings):
    epochs: int = setting(30, "passes over the data", low=1)
    lr: float = setting(1e-4, "learning rate", low=1e-8, high=1.0)
    model: str = setting("a", "architecture", choices=("a", "b"))
    mild: bool = setting(default=False, help="mild or not")
    limit: int | None = setting(None, "at most so many")


def test_text_becomes_the_type_of_the_field():
    chosen = Example().with_overrides({"epochs": "5", "lr": "1e-3", "model": "b", "mild": "yes", "limit": "7"})
    assert chosen == Example(5, 1e-3, "b", mild=True, limit=7)
    assert chosen.with_overrides({"limit": "none"}).limit is None


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("epoch", "5", "did you mean 'epochs'"),
        ("epochs", "many", "type int"),
        ("epochs", "0", "at least 1"),
        ("epochs", 2.5, "type int"),
        ("epochs", True, "type int"),
        ("lr", "2", "at most 1.0"),
        ("lr", "nan", "finite"),
        ("model", "c", "one of a, b"),
        ("mild", "maybe", "type bool"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(key, value, says):
    with pytest.raises(TaskError, match="Expected") as refusal:
        Example().with_overrides({key: value})
    assert says in str(refusal.value)


def test_an_unknown_key_lists_the_known_ones():
    with pytest.raises(TaskError, match="epochs, limit, lr, mild, model"):
        Example().with_overrides({"x": 1})


def test_every_setting_describes_itself():
    assert [row["name"] for row in Example().describe()] == ["epochs", "lr", "model", "mild", "limit"]
    assert Example().describe()[4]["type"] == "int or none"


def test_errors_keep_their_parts_across_processes():
    error = InputError("a.png is empty.", expected="a picture", action="bring another")
    twin = copy.copy(error)  # goes through __reduce__, as crossing a process boundary does
    assert (type(twin), str(twin)) == (InputError, "a.png is empty. Expected: a picture. To do: bring another.")
