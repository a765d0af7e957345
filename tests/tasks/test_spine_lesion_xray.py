"""`spine-lesion-xray`: its data, its figures, and what its report says of the search."""

import shutil
from collections import Counter

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from spinelab.core import InputError
from spinelab.evaluation import compute_metrics
from spinelab.evaluation.types import Estimate, Predictions
from spinelab.experiments.data_check import check_data
from spinelab.tasks.spine_lesion_xray import TASK, data
from spinelab.tasks.spine_lesion_xray.phantom import SHARES, cohort
from spinelab.tasks.spine_lesion_xray.scores import always_the_most_frequent, diseased_or_normal
from spinelab.tasks.spine_lesion_xray.sections import searches

N = 12


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("lesions") / "data"
    TASK.write_phantoms(out, n=N, seed=2, difficulty="typical")
    return out


def bare(folder, to, rename=None):
    """Leave folders and pictures alone, as the public collection comes: no manifest, no truth, no marker."""
    for part in sorted(p for p in folder.iterdir() if p.is_dir()):
        shutil.copytree(part, to / (rename or {}).get(part.name, part.name))
    return to


def test_phantoms_are_read_back_with_region_and_place(folder):
    examples = TASK.examples(folder)
    assert examples.phantom
    assert examples.patients_known
    assert {e.facts["region"].value for e in examples} <= {"cervical", "thoracic", "lumbar"}
    assert {e.facts["view"].value for e in examples} == {"AP", "LATERAL"}
    for example in examples:
        label = example.truth.finding(data.TARGET).label
        masks = TASK.anatomy(example)
        assert bool(masks) == (label != "normal")
        if masks:
            assert masks[""].shape == example.open().images[0].pixels.shape == (300, 300)
            assert 0 < masks[""].mean() < 0.4


def test_folders_alone_are_enough_and_names_may_vary(folder, tmp_path):
    names = {"foraminal-stenosis": "Foraminal Stenosis", "osteophyte": "osteophytes", "surgical-implant": "SurgicalImplants", "normal": "Normal"}
    examples = TASK.examples(bare(folder, tmp_path / "data", names))
    assert not examples.phantom
    assert not examples.patients_known
    assert Counter(examples.labels("lesion")) == Counter(TASK.examples(folder).labels("lesion"))
    assert TASK.anatomy(examples[0]) == {}


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("foraminalstenosis", "foraminal-stenosis"),
        ("01_Foraminal-Stenosis", "foraminal-stenosis"),
        ("Foraminal stenoses", "foraminal-stenosis"),
        ("Neural foraminal narrowing", "foraminal-stenosis"),
        ("Bone spurs", "osteophyte"),
        ("surgical_implants", "surgical-implant"),
        ("NORMAL", "normal"),
        ("fracture", None),
        ("", None),
    ],
)
def test_classes_are_known_by_their_names(name, found):
    assert data.class_of(name) == found


def test_a_strange_class_is_refused_by_name(folder, tmp_path):
    with pytest.raises(InputError, match="scoliosis"):
        TASK.examples(bare(folder, tmp_path / "data", {"normal": "scoliosis"}))


def test_copies_are_found_before_anything_is_split(folder, tmp_path):
    """An exact copy under another name, a nearly equal one (resized and saved again) in another class."""
    import cv2

    root = bare(folder, tmp_path / "data")
    first = sorted((root / "osteophyte").iterdir())[0]
    shutil.copy(first, root / "osteophyte" / "copy.png")
    picture = cv2.imread(str(first), cv2.IMREAD_GRAYSCALE)
    near = cv2.resize(cv2.resize(picture, (280, 280), interpolation=cv2.INTER_AREA), (300, 300), interpolation=cv2.INTER_CUBIC)
    cv2.imwrite(str(root / "foraminal-stenosis" / "near.png"), near)
    check = check_data(TASK.examples(root), "lesion")
    kinds = Counter(d["kind"] for d in check.summary.duplicates)
    assert kinds["exact"] == 1
    assert kinds["near"] >= 1
    codes = {flag.code for flag in check.summary.flags}
    assert {"duplicates", "conflicting-labels", "patients-unknown"} <= codes
    assert len(set(check.groups)) == N  # three pictures in one group, all others alone


def test_class_shares_are_the_sources_and_say_nothing_of_region_or_projection():
    dealt = cohort(967, 3, "typical")
    assert Counter(label for label, _, _ in dealt) == SHARES
    for label in SHARES:
        of_class = Counter((region, view) for name, region, view in dealt if name == label)
        assert len(of_class) == 6
        assert max(of_class.values()) - min(of_class.values()) <= 1


def test_metrics_agree_with_counts_by_hand_and_with_scikit_learn():
    """The confusion matrix printed in the source, as counts of 31, 40, 13 and 12 films."""
    rng = np.random.default_rng(0)
    classes = data.CLASSES
    counts = {1: {1: 23, 2: 7, 3: 1}, 2: {1: 4, 2: 35, 3: 1}, 3: {2: 1, 3: 12}, 0: {0: 10, 2: 2}}
    rows = [(true, said) for true, row in counts.items() for said, number in row.items() for _ in range(number)]
    truth = np.array([true for true, _ in rows])
    table = rng.dirichlet(np.ones(4), len(rows))
    for row, (_, said) in zip(table, rows, strict=True):
        row[[said, int(row.argmax())]] = row[[int(row.argmax()), said]]
    names = tuple(map(str, range(len(rows))))
    predictions = Predictions(classes, names, names, truth, table[None], np.zeros((1, len(rows)), dtype=np.int64))
    found = diseased_or_normal(predictions, bootstraps=100)
    assert found["sensitivity[diseased]"].value == 1.0  # no diseased film is called normal
    assert found["specificity[diseased]"].value == pytest.approx(10 / 12)
    assert found["auroc[diseased]"].value == pytest.approx(roc_auc_score(truth != 0, 1 - table[:, 0]))
    assert found["average_precision[diseased]"].value == pytest.approx(average_precision_score(truth != 0, 1 - table[:, 0]))
    assert found["auroc[diseased]"].value != pytest.approx(found["average_precision[diseased]"].value, abs=1e-4)
    constant = always_the_most_frequent(predictions, bootstraps=100)
    assert constant["sensitivity[diseased]"] == Estimate(1.0)
    assert constant["specificity[diseased]"] == Estimate(0.0)
    assert constant["auroc[diseased]"].value == 0.5
    assert constant["average_precision[diseased]"].value == pytest.approx(84 / 96)
    every = compute_metrics(predictions, bootstraps=100)
    hits = 23 + 35 + 12 + 10
    assert every["accuracy"].value == pytest.approx(hits / len(rows))
    assert every["recall_macro"].value == pytest.approx(np.mean([10 / 12, 23 / 31, 35 / 40, 12 / 13]))
    assert every["recall_weighted"].value == pytest.approx(hits / len(rows))
    assert every["sensitivity[osteophyte]"].value == pytest.approx(35 / 40)
    assert every["specificity[osteophyte]"].value == pytest.approx(1 - 10 / 56)


def test_two_classes_need_no_collapsing():
    predictions = Predictions(("normal", "osteophyte"), ("a", "b"), ("a", "b"), np.array([0, 1]), np.array([[[0.6, 0.4], [0.2, 0.8]]]), np.zeros((1, 2), int))
    assert diseased_or_normal(predictions, bootstraps=10) == {}


def test_the_search_is_drawn_and_told():
    trial = {"number": 0, "strengths": {}, "state": "complete", "value": 0.9, "curve": [1.0, 0.9], "seconds": 20.0}
    trials = [
        trial,
        trial | {"number": 1},
        trial | {"number": 2, "strengths": {"noise": 0.5}, "value": 0.8},
        trial | {"number": 3, "state": "pruned", "value": 1.2},
    ]
    gain = {"value": 0.1, "lo": -0.02, "hi": 0.2, "p": 0.31}
    search = {"minutes": 2, "seconds": 80.0, "trials": trials, "pruned": 1, "validation_films": 20, "best": {"noise": 0.5}, "best_value": 0.8, "without": 0.9}
    search |= {"gain": gain, "found": False, "words": "It is not shown to be better than no augmentation."}
    (section,) = searches({"resnet50": [{"search": search}, {}], "efficientnet-b0": [{}]})
    assert "<svg" in section["svg"]
    assert section["table"]["rows"] == [["resnet50", 1, "1.3", 4, 1, "noise 0.5", "0.800", "0.900", "0.100 (-0.020 to 0.200)", "0.31", "no"]]
    assert "not shown to be better" in section["text"]
    assert searches({"resnet50": [{}]}) == []


def test_settings_of_the_search_do_not_change_a_prepared_film():
    one = TASK.settings_type()
    other = one.with_overrides({"augment": "fixed", "noise": 0.5, "search_minutes": 3, "model": "efficientnet-b0"})
    assert TASK.preparation(one) == TASK.preparation(other)


@pytest.mark.parametrize("name", ["resnet50", "efficientnet-b0"])
def test_both_networks_of_the_source_exist(name):
    import torch

    net = TASK.network(TASK.settings_type().with_overrides({"model": name}), data.CLASSES).eval()
    with torch.inference_mode():
        logits = net(torch.zeros(1, 1, 64, 64, dtype=torch.uint8), torch.ones(1, 1, dtype=torch.bool))
    assert logits.shape == (1, 4)
