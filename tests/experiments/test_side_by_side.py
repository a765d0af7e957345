"""Every model explains the same held-out examinations, drawn before training; what was found about a map survives the disk."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from spinelab.core import Example, Examples, Explanation, Finding, Image, Landmark, Result, Run, Study
from spinelab.experiments import folds
from spinelab.experiments.bench import FoldResult, Trained
from spinelab.experiments.side_by_side import SHARED, anatomy_of, chosen, gallery
from spinelab.experiments.splits import Split

LABELS = ["straight", "curved", "curved", "curved"] * 6


class Task:
    """Explains everything with the same map, and remembers how it was asked."""

    def __init__(self):
        self.asked = []

    def explain(self, model, study, how=None):
        self.asked.append((study.id, how.checks, sorted(how.regions)))
        heat = np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4)
        return [Explanation("Grad-CAM", "curved", np.zeros((3, 4), np.uint8), heat, "AP", {"flags": [], "weights": {"correlation": (0.5,)}})]

    def anatomy(self, example):
        return {}


def example(i):
    corners = tuple(Landmark(name, x, y) for name, x, y in (("a", 2, 2), ("b", 12, 2), ("c", 2, 22)))
    truth = Result("t", "r", f"e{i}", findings=(Finding("label", LABELS[i]),), landmarks=corners)
    return Example(f"e{i}", truth, lambda: Study(f"e{i}", images=(Image(np.zeros((30, 20), np.uint8)),)))


def bench(task=None):
    everyone = np.arange(len(LABELS))
    splits = tuple(Split(repeat, fold, everyone[everyone % 2 != fold], everyone[everyone % 2 == fold]) for repeat in (0, 1) for fold in (0, 1))
    return SimpleNamespace(
        task=task or Task(),
        examples=Examples(tuple(example(i) for i in range(len(LABELS))), Path("x")),
        target="label",
        classes=("curved", "straight"),
        labels=tuple(LABELS),
        splits=splits,
        design=SimpleNamespace(seed=3),
    )


def test_they_are_balanced_over_classes_and_the_same_for_everyone():
    made = bench()
    found = chosen(made)
    assert found == chosen(bench())
    assert [LABELS[i] for i in found] == ["curved", "curved", "straight", "straight"]
    other = replace(made.splits[0], test=made.splits[0].test[:4])
    assert set(chosen(SimpleNamespace(**{**vars(made), "splits": (other,)}))) <= set(other.test.tolist())
    assert chosen(SimpleNamespace(**{**vars(made), "design": SimpleNamespace(seed=4)})) != found


def test_what_the_landmarks_enclose_is_looked_for():
    mask = anatomy_of(Task(), example(0))[""]
    assert mask.shape == (30, 20)
    assert mask[4, 4]
    assert not mask[20, 11]
    assert 100 < mask.sum() < 150


def test_facts_survive_the_disk_and_every_model_has_a_cell(tmp_path):
    task = Task()
    made = bench(task)
    rng = np.random.default_rng(0)
    trained = []
    for name in ("resnet18", "vit"):
        results = []
        for split in made.splits:
            shares = rng.dirichlet((1, 1), size=len(split.test))
            if name == "vit":
                shares[[np.flatnonzero(split.test == i)[0] for i in chosen(made)[:1] if i in split.test]] = np.nan
            cases = folds._cases(made, None, split, made.examples.subset(split.test), shares, Run())
            folder = tmp_path / name / f"{split.repeat}{split.fold}"
            folder.parent.mkdir(exist_ok=True)
            folds._save(FoldResult(split, shares, {}, 1, 1.0, cases), folder)
            results.append(folds._load(folder, split))
        trained.append(Trained(SimpleNamespace(name=name), tuple(results)))
    first, second = trained
    assert first.folds[0].cases[0].explanations[0].facts == {"flags": [], "weights": {"correlation": [0.5]}}
    assert not any(case.kind == SHARED for fold in first.folds if fold.split.repeat == 1 for case in fold.cases)
    assert {name for name, checks, _ in task.asked if "curves" in checks} == {f"e{i}" for i in chosen(made)}
    rows = gallery(made, trained)
    assert [row.image for row in rows] == [f"e{i}" for i in chosen(made)]
    assert all([cell.model for cell in row.cells] == ["resnet18", "vit"] for row in rows)
    assert all(row.cells[0].explanations for row in rows)
    assert rows[0].cells[1].answer is None
    index = chosen(made)[1]
    fold = second.folds[index % 2]
    assert rows[1].cells[1].probability == max(fold.probabilities[fold.split.test.tolist().index(index)])
    assert all(regions == [""] for _, _, regions in task.asked)


def test_a_model_that_failed_has_no_column_and_one_without_maps_no_row():
    made = bench()
    assert gallery(made, [Trained(SimpleNamespace(name="x"), (), "loss")]) == ()
    silent = FoldResult(made.splits[0], np.full((12, 2), 0.5), {}, 1, 1.0)
    assert gallery(made, [Trained(SimpleNamespace(name="x"), (silent,))]) == ()
