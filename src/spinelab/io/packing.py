"""Weights in fewer bytes: half precision, and large ones in eight bits with one scale a channel."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

EIGHT, SCALE = "::int8", "::scale"
"""Endings of the names under which a packed weight and its scales are stored."""
LARGE: Final = 4096
"""Weights with fewer numbers stay in half precision."""
_MOST: Final = 127

Tensors = Mapping[str, NDArray[Any]]


def packed(tensors: Tensors, eight_bits: Collection[str] = ()) -> dict[str, NDArray[Any]]:
    """Return weights in half precision; those whose names begin with one of ``eight_bits``, and that are large, in eight bits."""
    small: dict[str, NDArray[Any]] = {}
    for name, values in tensors.items():
        if values.dtype != np.float32:
            small[name] = values
        elif values.size >= LARGE and values.ndim > 1 and name.startswith(tuple(eight_bits)):
            highest = np.abs(values).reshape(len(values), -1).max(axis=1)
            scale = np.maximum(highest, 1e-12).astype(np.float32) / _MOST
            shape = (-1, *(1,) * (values.ndim - 1))
            small[name + EIGHT] = np.rint(values / scale.reshape(shape)).astype(np.int8)
            small[name + SCALE] = scale
        else:
            small[name] = values.astype(np.float16)
    return small


def unpacked(tensors: Tensors) -> dict[str, NDArray[Any]]:
    """Return weights as they were, but for rounding: 32-bit numbers under their own names; what was not packed is left alone."""
    whole: dict[str, NDArray[Any]] = {}
    for name, values in tensors.items():
        if name.endswith(EIGHT):
            scale = tensors[name.removesuffix(EIGHT) + SCALE]
            whole[name.removesuffix(EIGHT)] = values.astype(np.float32) * scale.reshape(-1, *(1,) * (values.ndim - 1))
        elif not name.endswith(SCALE):
            whole[name] = values.astype(np.float32) if values.dtype == np.float16 else values
    return whole
