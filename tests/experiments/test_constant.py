import numpy as np
import pytest
from sklearn.metrics import log_loss

from spinelab.evaluation.types import Estimate
from spinelab.experiments import baselines
from spinelab.experiments.constant import majority


def test_a_constant_reaches_the_majority_rate_and_nothing_else():
    labels = ["normal"] * 324 + ["disordered"] * 76
    found = majority(labels, [str(i) for i in range(400)], ("disordered", "normal"), bootstraps=200)
    assert found["majority_class"] == "normal"
    assert found["metrics"]["accuracy"].value == pytest.approx(0.81)
    assert found["metrics"]["balanced_accuracy"].value == pytest.approx(0.5)
    assert found["metrics"]["auroc"].value == pytest.approx(0.5)


def test_what_a_constant_has_by_definition_has_no_limits():
    classes = ("Normal/Mild", "Moderate", "Severe")
    labels = ["Normal/Mild"] * 30 + ["Moderate"] * 6 + ["Severe"] * 3
    found = majority(labels, [str(i % 13) for i in range(39)], classes, bootstraps=200)["metrics"]
    assert found["balanced_accuracy"] == Estimate(pytest.approx(1 / 3))
    assert [found[f"sensitivity[{c}]"] for c in classes] == [Estimate(1.0), Estimate(0.0), Estimate(0.0)]
    assert [found[f"specificity[{c}]"] for c in classes] == [Estimate(0.0), Estimate(1.0), Estimate(1.0)]
    assert found["accuracy"].lo < found["accuracy"].value < found["accuracy"].hi


def test_baselines_of_labels_alone(toy, make_examples):
    examples = make_examples(patients=50, films=1, shares=(0.8, 0.2))
    found = baselines(toy, examples, toy.settings_type())
    assert found["majority_rate"] == pytest.approx(0.8)
    assert found["chance"]["accuracy"] == pytest.approx(0.68)
    assert found["classes"]["dark"] == {"images": 40, "patients": 40, "share": 0.8}
    truth = examples.labels("label")
    frequencies = found["baselines"]["class-frequencies"]
    uniform = found["baselines"]["uniform"]
    assert frequencies["metrics"]["log_loss"]["value"] == pytest.approx(log_loss(truth, np.tile([0.2, 0.8], (50, 1)), labels=["bright", "dark"]))
    assert uniform["metrics"]["log_loss"]["value"] == pytest.approx(np.log(2))
    assert found["baselines"]["always dark"]["metrics"]["accuracy"]["value"] == pytest.approx(0.8)
