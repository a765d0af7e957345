"""NIfTI-1 and NIfTI-2 volumes, RAS turned to LPS; orientation only where sform or qform code states one."""

from __future__ import annotations

import gzip
import math
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spinelab.core import Fact, Image, InputError, unknown
from spinelab.io.gate import check_size, check_spacing, decoding
from spinelab.io.sniff import open_for_reading

_EXPECTED: Final = "a complete NIfTI file (.nii or .nii.gz)"
_ACTION: Final = "copy or convert the file again"
_MILLIMETRES: Final = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}
_UNITS: Final = {0: "no unit stated, millimetres assumed", 1: "stated in metres", 2: "stated in mm", 3: "stated in micrometres"}
_RAS_TO_LPS: Final = np.diag([-1.0, -1.0, 1.0, 1.0])


def read_nifti(path: Path, name: str) -> Image:
    """Read a 2D or 3D NIfTI file; several time points are refused."""
    import nibabel

    packed = open_for_reading(path, name)[:2] == b"\x1f\x8b"
    with gzip.open(path) if packed else path.open("rb") as stream:
        with decoding("nibabel", name, expected=_EXPECTED, action=_ACTION):
            head = stream.read(4)
            large = 540 in {int.from_bytes(head, "little"), int.from_bytes(head, "big")}
            kinds = (nibabel.Nifti2Header, nibabel.Nifti2Image) if large else (nibabel.Nifti1Header, nibabel.Nifti1Image)
            stream.seek(0)
            header = kinds[0].from_fileobj(stream, check=False)
            shape = tuple(int(n) for n in header["dim"][1 : 1 + min(7, max(0, int(header["dim"][0])))])
            kind = header.get_data_dtype()
        shape = _spatial(name, shape)
        _check_pixdim(name, header, shape)
        with decoding("nibabel", name, expected=_EXPECTED, action=_ACTION):
            stream.seek(0)
            data = np.asanyarray(kinds[1].from_stream(stream).dataobj)
    pixels, axes = _arranged(name, data, shape, kind)
    spacing, affine = _geometry(name, header, axes)
    reason = unknown("NIfTI states none")
    return Image(pixels=pixels, axes=axes, spacing_mm=spacing, affine=affine, modality=reason, view=reason, facts=_facts(header, kind), source=name)


def _spatial(name: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the extents without trailing ones, refusing time, vectors and absurd sizes before anything is unpacked."""
    extents = {f"dim[{axis + 1}]": extent for axis, extent in enumerate(shape)}
    check_size(name, **(extents or {"dim[1]": 0}))
    while len(shape) > 2 and shape[-1] == 1:
        shape = shape[:-1]
    if len(shape) > 3:
        raise InputError(
            f"{name} has {len(shape)} dimensions {shape}", expected="one picture or one volume", action="split the time points or channels into files"
        )
    if len(shape) < 2:
        raise InputError(f"{name} has the dimensions {shape}", expected="at least rows and columns", action=_ACTION)
    return shape


def _check_pixdim(name: str, header: Any, shape: tuple[int, ...]) -> None:
    scale = _MILLIMETRES.get(int(header["xyzt_units"]) & 7, 1.0)
    values = tuple(float(value) * scale for value in header["pixdim"][1 : 1 + len(shape)])
    check_spacing(name, f"NIfTI pixdim[1..{len(shape)}]", values)


def _arranged(name: str, data: NDArray[Any], shape: tuple[int, ...], kind: np.dtype[Any]) -> tuple[NDArray[Any], str]:
    """Return the array as (slice, row, column); values scaled by the header become float32."""
    data = data.reshape(shape)
    if data.dtype.names is not None:
        channels = [data[channel] for channel in ("R", "G", "B") if channel in data.dtype.names]
        if len(channels) != 3 or len(shape) != 2:
            raise InputError(f"{name}: colour voxels of shape {shape}", expected="grey volumes, or one RGB picture", action="convert the file to grey")
        return np.ascontiguousarray(np.stack([channel.T for channel in channels], axis=-1)), "YXC"
    if data.dtype.kind not in "uifb":
        raise InputError(f"{name}: voxels of type {data.dtype}", expected="real numbers", action="convert the file")
    if data.dtype.kind == "f" and kind.kind != "f":
        data = data.astype(np.float32)
    native = data.astype(data.dtype.newbyteorder("="), copy=False)
    return np.ascontiguousarray(native.transpose()), "ZYX" if len(shape) == 3 else "YX"


def _geometry(name: str, header: Any, axes: str) -> tuple[Fact, Fact]:
    """Return spacing and affine as far as units and transform codes state them."""
    unit = int(header["xyzt_units"]) & 7
    scale = _MILLIMETRES.get(unit, 1.0)
    spatial = sum(axis in "ZYX" for axis in axes)
    zooms = tuple(float(z) * scale for z in header["pixdim"][1 : 1 + spatial])[::-1]
    spacing = Fact(zooms, f"NIfTI pixdim, {_UNITS.get(unit, 'unit code unknown, millimetres assumed')}")
    chosen = _matrix(name, header)
    if chosen is None:
        return spacing, unknown("sform and qform codes are 0")
    matrix, source = chosen
    matrix = matrix * np.array([[scale]] * 3 + [[1.0]])
    norms = np.linalg.norm(matrix[:3, :spatial], axis=0)[::-1]
    if not np.allclose(norms, zooms, rtol=0.01):
        told = "\\".join(f"{n:.4g}" for n in norms)
        spacing = unknown(f"NIfTI pixdim says {'/'.join(f'{z:.4g}' for z in zooms)} mm, {source} says {told} mm")
    if np.allclose(matrix, np.eye(4), atol=1e-6):
        source += "; identity matrix: probably a placeholder"
    affine = _RAS_TO_LPS @ matrix
    affine.setflags(write=False)
    return spacing, Fact(affine, source)


def _matrix(name: str, header: Any) -> tuple[NDArray[np.float64], str] | None:
    """Return the RAS affine and its source: sform before qform, as the standard prefers where both are coded."""
    for kind in ("sform", "qform"):
        code = int(header[f"{kind}_code"])
        if code <= 0:
            continue
        with decoding("nibabel", name, expected="a valid orientation", action="correct the header, or set sform_code and qform_code to 0"):
            matrix = np.asarray(header.get_sform() if kind == "sform" else header.get_qform(), dtype=np.float64)
        sound = np.all(np.isfinite(matrix)) and np.linalg.cond(matrix[:3, :3]) < 1e6
        if not sound:
            raise InputError(
                f"{name}: the {kind} matrix is singular or not finite", expected="an invertible matrix", action=f"correct it, or set {kind}_code to 0"
            )
        return matrix, f"NIfTI {kind} (code {code})"
    return None


def _facts(header: Any, kind: np.dtype[Any]) -> dict[str, Fact]:
    facts = {"datatype": Fact(str(kind), "NIfTI datatype")}
    slope, inter = float(header["scl_slope"]), float(header["scl_inter"])
    if math.isfinite(slope) and slope not in (0.0, 1.0):
        facts["scaling"] = Fact((slope, inter), "NIfTI scl_slope and scl_inter, applied")
    text = bytes(header["descrip"]).split(b"\0")[0].decode("latin-1").strip()
    if text:
        facts["description"] = Fact(text, "NIfTI descrip")
    return facts
