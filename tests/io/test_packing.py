"""Packed weights are nearly the weights, in a quarter of the bytes, and every model folder is unpacked when it is read."""

import numpy as np

from spinelab.io.packing import packed, unpacked


def test_eight_bits_keep_each_channel_to_a_hundred_and_twenty_seventh_of_its_largest() -> None:
    rng = np.random.default_rng(0)
    weights = {"first.a": rng.normal(size=(8, 32, 5, 5)).astype(np.float32), "second.a": rng.normal(size=(8, 900)).astype(np.float32)}
    weights["first.a"][3] *= 1e-4
    weights |= {"first.bias": np.float32([1, 2]), "first.count": np.array(7)}
    small = packed(weights, eight_bits=("first.",))
    back = unpacked(small)
    assert set(back) == set(weights)
    highest = np.abs(weights["first.a"]).reshape(8, -1).max(axis=1).reshape(8, 1, 1, 1)
    assert (np.abs(back["first.a"] - weights["first.a"]) <= 0.51 * highest / 127).all()
    np.testing.assert_allclose(back["second.a"], weights["second.a"], rtol=1e-3, atol=1e-6)
    assert back["first.count"] == 7
    assert all(values.dtype == np.float32 for name, values in back.items() if name != "first.count")
    assert sum(v.nbytes for n, v in small.items() if n.startswith("first.a")) < weights["first.a"].nbytes / 3.9


def test_what_was_not_packed_is_left_alone() -> None:
    weights = {"a": np.ones((2, 2), np.float32), "n": np.array(3)}
    assert all(unpacked(weights)[name] is values for name, values in weights.items())
