"""Which versions took part."""

from __future__ import annotations

from importlib import metadata
from platform import python_version
from typing import Final

LIBRARIES: Final = ("spinelab", "torch", "timm", "lightning", "numpy", "scipy", "scikit-learn", "opencv-python-headless", "pydicom")
"""What a figure can depend on."""


def version(name: str) -> str | None:
    """Return a library's installed version, ``None`` if it is not installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def versions() -> dict[str, str]:
    """Return the versions that figures depend on, Python's first."""
    return {"python": python_version()} | {name: version(name) or "not installed" for name in LIBRARIES}
