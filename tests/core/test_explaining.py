import json

import numpy as np
import pytest

from spinelab.core import Explaining, Explanation, Heatmap, InputError, Result, TaskError


def test_words_of_the_user():
    assert Explaining.chosen(None).methods == ()
    assert Explaining.chosen("none") is None
    assert Explaining.chosen("all").methods == ("all",)
    assert Explaining.chosen("hirescam").methods == ("HiResCAM",)
    assert Explaining.chosen("gradcam, rollout,gradcam").methods == ("Grad-CAM", "attention rollout")
    assert Explaining.chosen("integrated-gradients").checks == ("glance", "curves")
    for wrong in ("grad-cam", "", "none,gradcam"):
        with pytest.raises(TaskError, match="scorecam"):
            Explaining.chosen(wrong)
    with pytest.raises(TaskError, match="--methods 'foo'"):
        Explaining.chosen("foo", option="--methods")


def explanation(**facts):
    heat = np.zeros((4, 6), np.float32)
    heat[1, 5] = 1
    return Explanation("Grad-CAM", "curved", np.zeros((4, 6), np.uint8), heat, "AP", facts)


def test_a_map_without_its_pixels():
    bare = explanation().summary("map.png")
    assert (bare.size, bare.peak, bare.flags, bare.random_weights_similarity) == ((6, 4), (5, 1), (), None)
    assert bare.cell_px is None
    told = explanation(
        probability=0.75,
        flags=["no"],
        inside={"share": 0.5, "area": 0.25, "peak_inside": True},
        curves={"deletion_auc": 0.2, "insertion_auc": 0.875},
        weights={"correlation": [0.9, 0.125]},
        cell_px=2.5,
    ).summary("map.png")
    assert told.random_weights_similarity == 0.125
    assert told.cell_px == 2.5
    assert (told.share_inside, told.area_inside, told.peak_inside) == (0.5, 0.25, True)
    result = Result("images", "m", "s", explanations=(told, bare))
    again = json.loads(result.to_json())
    assert Result.from_dict(again) == result
    assert "heat" not in again["explanations"][0]
    assert "explanations" not in Result("images", "m", "s").to_dict()


def test_a_map_of_a_slice_says_where_it_lies():
    where = {"series": "17", "description": "Axial T2", "slice": 4, "peak_mm": [-9.5, 1.0, 3.25], "turned_back": False}
    told = explanation(where=where).summary("map.png")
    assert (told.series, told.slice_number, told.peak_mm) == ("17", 4, (-9.5, 1.0, 3.25))
    result = Result("lumbar-mri", "m", "s", explanations=(told,))
    assert Result.from_dict(json.loads(result.to_json())) == result
    assert explanation().summary("map.png").slice_number is None


def test_a_question_by_name_needs_a_task_that_asks_several():
    assert Explaining().of_one_question("images").questions == ()
    with pytest.raises(TaskError, match="asks one"):
        Explaining(questions=("L4/L5 canal",)).of_one_question("images")


def test_an_empty_map_has_no_peak_and_numbers_are_numbers():
    empty = Explanation("Grad-CAM", "curved", np.zeros((4, 6), np.uint8), np.zeros((4, 6), np.float32))
    assert empty.peak is None
    assert empty.summary("x.png").peak is None
    with pytest.raises(InputError, match="finite"):
        Heatmap("Grad-CAM", "curved", "", "x.png", (6, 4), None, probability=float("nan"))
