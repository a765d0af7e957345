"""Files in, studies out: pictures, DICOM, NIfTI, folders and archives, each fact with its origin; and what is kept on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from spinelab.io.codecs import codecs
from spinelab.io.display import to_uint8
from spinelab.io.read import IMAGE_SUFFIXES, read, read_image

if TYPE_CHECKING:
    from spinelab.io.cache import ImageCache
    from spinelab.io.dicom_write import write_dx
    from spinelab.io.model_folder import load_model, save_model

__all__ = ["IMAGE_SUFFIXES", "ImageCache", "codecs", "load_model", "read", "read_image", "save_model", "to_uint8", "write_dx"]

_LATE = {"ImageCache": "cache", "save_model": "model_folder", "load_model": "model_folder", "write_dx": "dicom_write"}


def __getattr__(name: str) -> Any:
    """Import the heavy parts when they are first asked for, so that the command line starts fast."""
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_LATE[name]}"), name)
