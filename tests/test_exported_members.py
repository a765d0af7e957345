"""The public surface, pinned: a change here is a change that users notice and belongs in the changelog."""

import importlib
import inspect
import pkgutil
import subprocess
import sys

import pytest

import spinelab

VERBS = {
    "agreement": "(readers, out=None)",
    "baselines": "(task, data, *, settings=None)",
    "compare": (
        "(task, data, out=None, *, vary, settings=None, folds=5, repeats=1, holdout=None, resume=False, seed=0, "
        "rank_by=None, learning_curve=True, split=None, run=None)"
    ),
    "evaluate": "(model, data, out, *, split=None, explain=None, run=None)",
    "fit": "(task, data, out, *, settings=None, split=None, run=None)",
    "phantom": None,
    "read": "(path, model, out=None, *, serial=False, films=None, explain=None, run=None)",
    "score": "(task, submission, data)",
}


def names_and_defaults(function) -> str:
    signature = inspect.signature(function)
    bare = [p.replace(annotation=inspect.Parameter.empty) for p in signature.parameters.values()]
    return str(inspect.Signature(bare))


def constants_classes_functions(name: str) -> tuple[int, str]:
    return (0 if name.isupper() else 1 if name[0].isupper() else 2), name


def test_the_names() -> None:
    assert spinelab.__all__ == sorted([*VERBS, "tasks"])
    assert set(spinelab.__all__) <= set(dir(spinelab))


@pytest.mark.parametrize("verb", [verb for verb, signature in VERBS.items() if signature])
def test_a_verb_keeps_its_signature(verb: str) -> None:
    assert names_and_defaults(getattr(spinelab, verb)) == VERBS[verb]


def test_phantom_keeps_its_signature() -> None:
    parameters = inspect.signature(spinelab.phantom).parameters
    assert {name: p.default for name, p in parameters.items() if name != "progress"} == {
        "task": inspect.Parameter.empty,
        "out": inspect.Parameter.empty,
        "n": 100,
        "seed": 0,
        "difficulty": "typical",
        "layout": None,
    }


def test_verbs_are_documented_and_typed() -> None:
    for verb in VERBS:
        function = getattr(spinelab, verb)
        assert inspect.getdoc(function)
        assert "return" in function.__annotations__


def test_tasks_is_the_package_of_tasks() -> None:
    assert spinelab.tasks.names()
    assert spinelab.tasks.load(spinelab.tasks.names()[0]).name == spinelab.tasks.names()[0]


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'cobb'"):
        spinelab.cobb  # noqa: B018


def test_importing_the_package_imports_nothing_heavy() -> None:
    script = "import sys, spinelab; print(*(name for name in ('numpy', 'torch', 'typer') if name in sys.modules))"
    assert not subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()


def test_every_package_exports_what_it_says() -> None:
    for found in pkgutil.iter_modules(spinelab.__path__, "spinelab."):
        package = importlib.import_module(found.name)
        exported = getattr(package, "__all__", [])
        assert list(exported) == sorted(exported, key=constants_classes_functions), found.name
        assert all(hasattr(package, name) for name in exported), found.name
