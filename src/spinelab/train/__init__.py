"""Training: what a network needs from the program, from prepared films to a finished model. torch is imported only when one is trained or used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from spinelab.train.prepared import Prepared, letterbox
from spinelab.train.settings import ImageSettings
from spinelab.train.task import NetworkTask

if TYPE_CHECKING:
    from spinelab.train.losses import cross_entropy

__all__ = ["ImageSettings", "NetworkTask", "Prepared", "cross_entropy", "letterbox"]


def __getattr__(name: str) -> Any:
    """Import what needs torch when it is first asked for, so that the command line starts fast."""
    if name != "cross_entropy":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from spinelab.train.losses import cross_entropy

    return cross_entropy
