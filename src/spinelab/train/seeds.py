"""The only place that seeds torch: for the length of a fit, and put back afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Make torch's random numbers and CUDA's convolutions repeatable inside; leave no trace outside."""
    cudnn = torch.backends.cudnn
    before = (cudnn.deterministic, cudnn.benchmark)
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        cudnn.deterministic, cudnn.benchmark = True, False
        torch.manual_seed(seed)
        try:
            yield
        finally:
            cudnn.deterministic, cudnn.benchmark = before


def epoch_seed(seed: int, epoch: int, rank: int = 0) -> int:
    """Return the seed of one epoch: a resumed fit draws what an uninterrupted one would have drawn."""
    return int(np.random.SeedSequence([seed, epoch, rank]).generate_state(1, np.uint32)[0])
