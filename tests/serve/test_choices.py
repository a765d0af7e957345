"""Words into settings: every slip of the keyboard is told before anything is trained."""

from dataclasses import dataclass

import pytest

from spinelab.core import InputError, Settings, TaskError, setting
from spinelab.serve import choices


@dataclass(frozen=True)
class Example(Settings):
    model: str = setting("resnet18", "architecture", choices=("simple-cnn", "resnet18"))
    epochs: int = setting(30, "passes", low=1)
    lr: float = setting(1e-4, "learning rate", low=0.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.model == "simple-cnn" and self.epochs > 90:
            raise TaskError("simple-cnn with many epochs", expected="90 or fewer", action="lower epochs")


def test_set_words_become_a_mapping() -> None:
    assert choices.parse_set(["epochs=5", "model = resnet18", "text=a=b", "empty="]) == {"epochs": "5", "model": "resnet18", "text": "a=b", "empty": ""}


@pytest.mark.parametrize("words", [["epochs"], ["=5"], ["epochs=5", "epochs=6"], [""]])
def test_set_refuses(words: list[str]) -> None:
    with pytest.raises(TaskError, match="--set"):
        choices.parse_set(words)


def test_vary_words_become_lists() -> None:
    assert choices.parse_vary(["model=simple-cnn, resnet18", "lr=1e-3"]) == {"model": ["simple-cnn", "resnet18"], "lr": ["1e-3"]}


@pytest.mark.parametrize("words", [["model="], ["model"], ["=a,b"], ["model=a,,b"], ["model=a", "model=b"]])
def test_vary_refuses(words: list[str]) -> None:
    with pytest.raises(TaskError, match="--vary"):
        choices.parse_vary(words)


def test_layers_of_choices() -> None:
    assert choices.settle(Example(), {"epochs": 3}, {"epochs": "5", "lr": "1e-3"}) == Example(epochs=5, lr=1e-3)
    assert choices.settle(Example(), Example(epochs=7), None, {}) == Example(epochs=7)
    with pytest.raises(TaskError, match="Settings of type Settings"):
        choices.settle(Example(), Settings())


def test_varied_values_are_converted() -> None:
    assert choices.settle_vary(Example(), {"epochs": ["1", "2"], "model": ["simple-cnn"]}) == {"epochs": [1, 2], "model": ["simple-cnn"]}


@pytest.mark.parametrize(
    ("vary", "fixed", "said"),
    [
        ({}, (), "Nothing to compare"),
        ({"modle": ["resnet18"]}, (), "did you mean 'model'"),
        ({"model": ["resnet18", "vgg"]}, (), "vgg"),
        ({"epochs": ["1", "one"]}, (), "one"),
        ({"epochs": ["0"]}, (), "at least 1"),
        ({"lr": ["0.001", "1e-3"]}, (), "listed twice"),
        ({"epochs": []}, (), "list of one or more"),
        ({"model": "resnet18"}, (), "list of one or more"),
        ({"epochs": ["1", "2"]}, ("epochs",), "both set and varied"),
        ({"model": ["simple-cnn", "resnet18"], "epochs": ["90", "91"]}, (), "90 or fewer"),
    ],
)
def test_vary_is_checked_before_training(vary: dict, fixed: tuple[str, ...], said: str) -> None:
    with pytest.raises(TaskError, match=said):
        choices.settle_vary(Example(), vary, fixed)


def test_settings_file(tmp_path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text('model = "simple-cnn"\nepochs = 5\n', encoding="utf-8")
    assert choices.settle(Example(), choices.read_settings_file(file)) == Example(model="simple-cnn", epochs=5)


@pytest.mark.parametrize(("text", "said"), [("epochs: 5", "not TOML"), ("[train]\nepochs = 5", "'train' is a table"), ("epochs = [1, 2]", "'epochs'")])
def test_settings_file_refuses(tmp_path, text: str, said: str) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=said):
        choices.read_settings_file(file)
    with pytest.raises(InputError, match="No such file"):
        choices.read_settings_file(tmp_path / "absent.toml")
    (tmp_path / "latin.toml").write_bytes(b'name = "\xe9"')
    with pytest.raises(InputError, match="not TOML"):
        choices.read_settings_file(tmp_path / "latin.toml")
