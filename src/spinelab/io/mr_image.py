"""The picture of an MR series: slices with their geometry and common facts, decoded all at once or one by one when they are asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinelab.core import Fact, Image
from spinelab.io.dicom import Described


class SlicesImage(Image):
    """An image (slice, row, column) whose slices are read and decoded when they are asked for, and kept then; asked for ``pixels``, all of them.

    A copy that `dataclasses.replace` makes has all its pixels.
    """

    _slices: Sequence[Described] = ()
    _read: dict[int, NDArray[Any]]

    @classmethod
    def of(cls, slices: Sequence[Described], fields: Mapping[str, Any]) -> SlicesImage:
        """Return the image of slices that `alike` accepts, with these fields of an image, which are all but its pixels.

        Raises `InputError` where a file ends before its pixels do, whether they are asked for or not.
        """
        for item in slices:
            if item.is_cut_off():
                item.decoded()
        image = cls.__new__(cls)
        for name, value in {**fields, "_slices": tuple(slices), "_read": {}}.items():
            object.__setattr__(image, name, value)
        image._check_spacing()
        image._check_affine()
        return image

    def __repr__(self) -> str:
        """Say what it is without reading a file."""
        return f"SlicesImage({len(self._slices)} slices, source={self.source!r})"

    @cached_property
    def pixels(self) -> NDArray[Any]:
        """All slices; those that were decoded one by one are not decoded again."""
        planes = np.stack([self.plane(index) for index in range(len(self._slices))])
        planes.setflags(write=False)
        return planes

    def plane(self, index: int) -> NDArray[Any]:
        """Return one slice (row, column); raises `InputError` where its file cannot be decoded."""
        if not self._slices or "pixels" in self.__dict__:
            return super().plane(index)
        if index not in self._read:
            read = self._slices[index].decoded()[0]
            read.setflags(write=False)
            self._read[index] = read
        return self._read[index]

    @property
    def shape_yx(self) -> tuple[int, int]:
        """Rows and columns."""
        if not self._slices:
            return super().shape_yx
        return self._slices[0].layout.rows, self._slices[0].layout.columns


def alike(slices: Sequence[Described]) -> bool:
    """Return whether slices are grey planes of one layout and meaning, so that each can be decoded without the others."""
    first = slices[0]
    plane = first.layout.frames == 1 and first.layout.samples == 1 and first.layout.photometric.startswith("MONOCHROME")
    return plane and all(item.layout == first.layout and item.meant == first.meant for item in slices)


def common_facts(slices: Sequence[Described]) -> dict[str, Fact]:
    """Return the facts that all slices state alike."""
    return {key: fact for key, fact in slices[0].facts.items() if all(_same(item.facts.get(key), fact) for item in slices)}


def _same(one: Fact | None, other: Fact) -> bool:
    return one is not None and one.source == other.source and not isinstance(other.value, dict) and bool(one.value == other.value)
