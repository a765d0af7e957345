"""Which device and which number format, chosen by the hardware and said."""

from __future__ import annotations

import functools
import platform
from pathlib import Path

import torch

from spinelab.core import Run, TaskError, plural

GPU = ("gpu", "cuda")


def choose_device(run: Run) -> str:
    """Return ``cuda``, ``mps`` or ``cpu``.

    Raises
    ------
    TaskError
        If a device is asked for that is not there; another one is never taken silently.
    """
    asked = run.accelerator
    if asked in GPU:
        if not torch.cuda.is_available():
            raise TaskError(f"accelerator={asked}: this machine shows no CUDA GPU", expected="a CUDA GPU", action="use --accelerator cpu or auto")
        _enough(run, torch.cuda.device_count(), "GPU")
        return "cuda"
    if asked == "mps" and not torch.backends.mps.is_available():
        raise TaskError("accelerator=mps: this machine has no Apple GPU", expected="an Apple GPU", action="use --accelerator cpu or auto")
    if asked not in ("auto", "cpu", "mps"):
        raise TaskError(f"accelerator={asked!r}", expected="auto, cpu, gpu or mps", action="choose another accelerator")
    if asked == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return asked


def _enough(run: Run, present: int, what: str) -> None:
    if isinstance(run.devices, int) and run.devices > present:
        raise TaskError(f"devices={run.devices}, but this machine shows {plural(present, what)}", expected=f"at most {present}", action="ask for fewer devices")


def device_name(device: str) -> str:
    """Return what the device calls itself."""
    if device == "cuda":
        return str(torch.cuda.get_device_name())
    return _cpu_model() or platform.processor() or platform.machine()


@functools.cache
def cpu_flags() -> frozenset[str]:
    """Return the processor's feature flags; empty where the system does not list them."""
    return frozenset(_cpuinfo("flags").split())


def _cpu_model() -> str:
    return _cpuinfo("model name")


@functools.cache
def _cpuinfo(key: str) -> str:
    listing = Path("/proc/cpuinfo")
    lines = listing.read_text().splitlines() if listing.is_file() else []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(key)), "")


def choose_precision(asked: str, device: str) -> dict[str, str]:
    """Return ``{"asked", "used", "why", "lightning"}``: the number format, the reason in words, and Lightning's name for it.

    Raises
    ------
    TaskError
        If half precision is asked for on a processor without it.
    """
    if asked == "16" and device != "cuda":
        raise TaskError(f"precision=16 on {device}", expected="a CUDA GPU for 16-bit floats", action="use precision=auto, 32 or bf16")
    used, why = (asked, "asked for") if asked != "auto" else _by_hardware(device)
    if asked == "bf16" and device == "cpu" and "amx_bf16" not in cpu_flags():
        why = "asked for, although this processor has no bf16 matrix units (AMX): likely slower than 32"
    return {"asked": asked, "used": used, "why": why, "lightning": {"32": "32-true", "bf16": "bf16-mixed", "16": "16-mixed"}[used]}


def _by_hardware(device: str) -> tuple[str, str]:
    if device == "cuda":
        if torch.cuda.is_bf16_supported(including_emulation=False):
            return "bf16", "mixed precision: this GPU has bf16 units"
        return "16", "mixed precision: this GPU has 16-bit but no bf16 units"
    if device == "cpu" and "amx_bf16" in cpu_flags():
        return "bf16", "mixed precision: this processor has bf16 matrix units (AMX)"
    return "32", "this device has no bf16 matrix units (AMX)" if device == "cpu" else "full precision on this device"
