"""A network task's maps: of the head that answers, with what the truth marks, and in the lesion where one is drawn."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional

from spinelab import tasks
from spinelab.core import Explaining, Image, Model, Study, TaskError
from spinelab.nn import grading_net
from spinelab.train import NetworkTask, Prepared, letterbox

SIDE = 48
CLASSES = ("none", "lesion")


def film(seed):
    """Return a film taller than wide, every other one with a bright disc, and the disc."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 80, (90, 60)).astype(np.uint8)
    pixels[:, :5] = 60
    row, column = rng.integers(16, 74), rng.integers(16, 44)
    rows, columns = np.mgrid[:90, :60]
    disc = (rows - row) ** 2 + (columns - column) ** 2 <= 14**2
    if seed % 2:
        pixels[disc] = rng.integers(170, 255, disc.sum())
    return Study(f"film{seed}", images=(Image(pixels),)), disc


class Discs(type(tasks.load("images"))):
    """The task ``images`` with a network whose maps have six cells across."""

    def network(self, settings, classes):
        return grading_net("mcnn", {"label": len(classes)}, side=SIDE, dropout=0.0)


@pytest.fixture(scope="module")
def images():
    """A task with a network that has learnt, in seconds, to find bright discs."""
    task = Discs()
    settings = task.settings_type().with_overrides({"image_size": SIDE})
    torch.manual_seed(0)
    net = task.network(settings, CLASSES).train()
    films = torch.from_numpy(np.stack([task.prepare(film(seed)[0], settings).pixels for seed in range(48)]))
    labels, there = torch.arange(48) % 2, torch.ones(16, 1, dtype=torch.bool)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    for step in range(45):
        rows = torch.arange(16) + 16 * (step % 3)
        optimizer.zero_grad()
        functional.cross_entropy(net(films[rows], there), labels[rows]).backward()
        optimizer.step()
    net.eval()
    return task, Model("images", settings, CLASSES, {name: values.numpy() for name, values in net.state_dict().items()}, {})


def test_the_peak_lies_in_the_drawn_lesion_where_the_answer_is_right(images):
    task, model = images
    inside, shares = [], []
    for seed in range(101, 121, 2):
        study, disc = film(seed)
        answer = task.predict(model, study).findings[0]
        if answer.label == "lesion":
            (shown,) = task.explain(model, study, Explaining(checks=(), regions={"": disc}))
            assert shown.facts["probability"] == pytest.approx(answer.probabilities["lesion"], abs=1e-4)
            inside.append(shown.facts["inside"]["peak_inside"])
            shares.append(shown.facts["inside"]["share"] / shown.facts["inside"]["area"])
    assert len(inside) >= 8
    assert np.mean(inside) >= 0.8
    assert np.median(shares) > 2


def test_the_default_is_one_checked_map_and_all_are_all_that_suit(images):
    task, model = images
    study, _ = film(1)
    (shown,) = task.explain(model, study)
    assert shown.method == "HiResCAM"
    assert set(shown.facts["weights"]) == {"replaced", "correlation", "depends_on_weights"}
    assert shown.facts["weights"]["depends_on_weights"]
    every = task.explain(model, study, Explaining(("all",), ()))
    assert [one.method for one in every] == ["HiResCAM", "Grad-CAM", "Score-CAM", "integrated gradients", "occlusion"]
    assert not any("weights" in one.facts for one in every)
    with pytest.raises(TaskError, match="attention"):
        task.explain(model, study, Explaining(("attention rollout",), ()))


def test_a_mask_of_another_shape_marks_nothing(images):
    task, model = images
    (shown,) = task.explain(model, film(1)[0], Explaining(checks=(), regions={"": np.ones((5, 5), bool)}))
    assert "inside" not in shown.facts


def test_the_inside_of_the_network(images):
    task, model = images
    filters, *layers = task.layers(model, film(1)[0])
    assert filters.title.startswith("Filters of the first layer")
    assert len(layers) >= 2
    assert all(sheet.picture.dtype == np.uint8 and sheet.picture.any() for sheet in (filters, *layers))


class Graded(NetworkTask):
    """Two heads on two channels; the second one is asked for, as classes or as an order."""

    name = "graded"

    def __init__(self, *, ordinal):
        self.ordinal = ordinal

    def target(self, settings):
        return "severity"

    def prepare(self, study, settings):
        picture = letterbox(study.images[0].pixels, 32)
        return Prepared(np.stack([picture, picture]), np.ones(2, bool))

    def network(self, settings, classes):
        torch.manual_seed(1)
        return grading_net("cnn", {"condition": 5, "severity": 3}, channels=2, side=32, ordinal=("severity",) if self.ordinal else ()).eval()

    def probabilities(self, logits, settings):
        if not self.ordinal:
            return super().probabilities(logits[:, 5:], settings)
        reached = logits[:, 5:].sigmoid().sort(dim=1, descending=True).values
        grades = torch.cat([1 - reached[:, :1], reached[:, :1] - reached[:, 1:], reached[:, 1:]], dim=1)
        return grades.detach().double().numpy()

    def view_names(self, settings):
        return ("",)

    phantom = write_phantoms = examples = loss = interpret = None


Graded.__abstractmethods__ = frozenset()


@pytest.mark.parametrize("ordinal", [False, True])
def test_the_head_that_answers_is_explained(ordinal):
    task = Graded(ordinal=ordinal)
    settings = tasks.load("images").settings_type()
    model = Model("graded", settings, ("normal", "moderate", "severe"), {}, {})
    model.network = task.network(settings, model.classes)
    study, _ = film(1)
    shown = task.explain(model, study, Explaining(checks=("glance", "curves")))
    assert len(shown) == 1
    prepared = task.prepare(study, settings)
    logits = model.network(torch.from_numpy(prepared.pixels[None].copy()), torch.ones(1, 2, dtype=torch.bool))
    shares = task.probabilities(logits, settings)[0]
    grade = int(shares.argmax())
    if ordinal:
        least = max(1, grade)
        assert shown[0].label == f"{model.classes[least]} or more"
        assert shown[0].facts["probability"] == pytest.approx(shares[least:].sum(), abs=1e-5)
        assert "curves" not in shown[0].facts
    else:
        assert shown[0].label == model.classes[grade]
        assert shown[0].facts["probability"] == pytest.approx(shares[grade], abs=1e-5)
        assert "curves" in shown[0].facts


def test_a_map_on_the_black_frame_is_flagged(images):
    task, model = images
    (shown,) = task.explain(model, film(1)[0], Explaining(checks=()))
    assert 0 <= shown.facts["on_frame"] < 0.5
    from spinelab.explain import AttentionMap

    picture = np.zeros((40, 40), np.uint8)
    picture[:, 10:30] = 90
    heat = np.zeros((40, 40), np.float32)
    heat[:, :10] = 1
    off = AttentionMap("Grad-CAM", "a", "", picture, heat, 0.5)
    assert off.on_frame == 1
    assert "black frame" in off.flags[0]
    heat[:, :10], heat[5, 15] = 0, 1
    assert replace(off, heat=heat).flags == ()
