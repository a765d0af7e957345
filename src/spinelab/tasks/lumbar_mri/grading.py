"""From logits to grades: the loss of each head, and what the logits say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from spinelab.evaluation.rsna import CONDITIONS, GRADE_WEIGHTS
from spinelab.tasks.lumbar_mri.settings import LumbarMriSettings
from spinelab.tasks.lumbar_mri.targets import GRADE_NAMES

if TYPE_CHECKING:
    from torch import Tensor

GRADES: Final = len(GRADE_NAMES)


def heads_of(settings: LumbarMriSettings) -> dict[str, int]:
    """Return the network's heads and their classes; severity comes last, as in the labels."""
    severity = {"severity": GRADES}
    return {"condition": len(CONDITIONS), **severity} if settings.heads == "both" else severity


class GradeLoss:
    """The loss of severity and, where there is such a head, of condition; labels ``(B,)`` of severity, or ``(B, 2)`` condition then severity."""

    def __init__(self, settings: LumbarMriSettings) -> None:
        self.settings = settings
        self._severity = _severity_loss(settings)

    def __call__(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the loss; the heads' losses are added."""
        from torch.nn import functional

        if self.settings.heads == "severity":
            return self._severity(logits, labels)
        conditions = len(CONDITIONS)
        return functional.cross_entropy(logits[:, :conditions], labels[:, 0]) + self._severity(logits[:, conditions:], labels[:, 1])

    def accuracy(self, logits: Tensor, labels: Tensor) -> float:
        """Return the share of right answers of the head that is judged."""
        head = 0 if self.settings.target == "condition" else -1
        truth = labels if labels.ndim == 1 else labels[:, head]
        severity, condition = shares_of(logits, self.settings)
        own = severity if head else condition
        return float(np.mean(own.argmax(axis=1) == truth.cpu().numpy()))


def _severity_loss(settings: LumbarMriSettings) -> Callable[[Tensor, Tensor], Tensor]:
    from spinelab.train.losses import coral, cumulative_link, weighted_cross_entropy

    weights: Sequence[float] = GRADE_WEIGHTS
    made: dict[str, Callable[[], Callable[[Tensor, Tensor], Tensor]]] = {
        "weighted": lambda: weighted_cross_entropy(weights),
        "plain": lambda: weighted_cross_entropy((1.0,) * GRADES),
        "ordinal": lambda: cumulative_link(weights),
        "coral": lambda: coral(weights),
    }
    return made[settings.loss]()


def shares_of(logits: Tensor, settings: LumbarMriSettings) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the probabilities of the grades ``(B, 3)`` and of the conditions ``(B, 5)``, which has no columns without such a head."""
    from spinelab.train.losses import log_grades

    conditions = len(CONDITIONS) if settings.heads == "both" else 0
    severity = logits[:, conditions:].double()
    grades = log_grades(severity).double().exp() if settings.ordinal else severity.softmax(dim=1)
    shares = (grades / grades.sum(dim=1, keepdim=True), logits[:, :conditions].double().softmax(dim=1))
    severity_shares, condition_shares = (np.asarray(share.detach().cpu().numpy(), np.float64) for share in shares)
    return severity_shares, condition_shares
