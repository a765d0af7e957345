"""What a submission is worth: the competition's score with its parts, beside what answers reach that need no picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spinelab.core import InputError, counted
from spinelab.evaluation.resampling import BOOTSTRAPS, Distribution
from spinelab.evaluation.rsna import RsnaLabels, rsna_distributions
from spinelab.evaluation.rsna_baselines import rsna_baselines, rsna_constant, rsna_figures
from spinelab.evaluation.rsna_submission import read_submission

RSNA_SCORE_SCHEMA: Final = "spinelab.rsna-score/1"


def rsna_of_submission(path: Path | str, labels: RsnaLabels, *, bootstraps: int = BOOTSTRAPS, seed: int = 0) -> dict[str, Any]:
    """Return, ready for JSON, what a submission file reaches on these labels, and what constants reach on them.

    A study of which nothing is graded is not scored; its rows may stand in the file or not. ``gain`` is by how much the score is lower than that of
    the best constant, over the same resamples of whole studies; positive is better.

    Raises
    ------
    InputError
        If the file cannot be used, a graded study is missing in it, it has rows of a study without labels, or nothing is graded.
    """
    graded: NDArray[np.bool_] = np.any(labels.grades >= 0, axis=1)
    if not graded.any():
        raise InputError("Labels without a grade", expected="Normal/Mild, Moderate or Severe for some targets", action="check the file of the labels")
    studies, answers = read_submission(path)
    scored = RsnaLabels(tuple(study for study, has in zip(labels.studies, graded, strict=True) if has), labels.grades[graded])
    _check_studies(path, studies, labels.studies, scored.studies)
    place = {study: i for i, study in enumerate(studies)}
    answers = answers[[place[study] for study in scored.studies]]
    constants = rsna_baselines(scored, bootstraps=bootstraps, seed=seed)
    own = rsna_distributions(scored, answers, bootstraps=bootstraps, seed=seed)
    gain = None if constants["best_constant"] is None else _gain(scored, own["score"], constants["best_constant"], bootstraps, seed)
    return {
        **constants,
        "schema": RSNA_SCORE_SCHEMA,
        "submission": rsna_figures(own),
        "gain": gain,
        "studies_not_graded": int((~graded).sum()),
    }


def _check_studies(path: Path | str, told: tuple[str, ...], known: tuple[str, ...], needed: tuple[str, ...]) -> None:
    absent, strange = sorted(set(needed) - set(told)), sorted(set(told) - set(known))
    if absent:
        raise InputError(
            f"{path}: {counted(absent, f'of {len(needed)} graded studies [is|are] missing')}",
            expected="all 25 targets of every graded study",
            action="predict them too, or give the labels of the studies that were predicted",
        )
    if strange:
        raise InputError(
            f"{path}: {counted(strange, f'of {len(told)} studies [is|are] not among the labels')}",
            expected="rows of the labelled studies and no others",
            action="leave their rows out, or give their labels too",
        )


def _gain(labels: RsnaLabels, own: Distribution, constant: str, bootstraps: int, seed: int) -> dict[str, Any]:
    answer: NDArray[np.float64] = rsna_constant(labels, constant)
    found = rsna_distributions(labels, np.broadcast_to(answer, (len(labels.studies), *answer.shape)), bootstraps=bootstraps, seed=seed)["score"]
    return Distribution(found.value - own.value, found.samples - own.samples, own.patients).estimate().to_dict()
