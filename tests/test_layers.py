"""Imports go down only, neighbours are strangers, and the heavy libraries stay on their floors."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "spinelab"

FLOORS = {
    "core": 1,
    "geometry": 2,
    "io": 3,
    "phantoms": 3,
    "transforms": 3,
    "nn": 3,
    "evaluation": 3,
    "explain": 3.5,  # looks into networks, and what trains them shows its maps
    "train": 4,
    "report": 4,
    "monitor": 4,
    "experiments": 5,
    "tasks": 6,
    "serve": 7,
}
DEEP_LEARNING = {"torch", "torchvision", "timm", "lightning", "torchmetrics", "captum", "monai"}
ALLOWED = {
    **{library: {"nn", "train", "explain", "tasks"} for library in DEEP_LEARNING},
    "pydicom": {"io", "report", "serve"},
    "typer": {"serve"},
    "rich": {"serve"},
    "jinja2": {"report"},
}
SLOW_TO_IMPORT = {*DEEP_LEARNING, "sklearn", "imblearn", "pandas", "matplotlib"}

MODULES = sorted(SOURCE.rglob("*.py"))


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """Every module that a file imports, at any depth, with the line; relative imports made absolute."""
    package = path.relative_to(SOURCE.parent).parent.parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module) if part)
            yield from ((f"{module}.{alias.name}" if module == "spinelab" else module, node.lineno) for alias in node.names)


def package_of(path: Path) -> str:
    parts = path.relative_to(SOURCE).parts
    return parts[0] if len(parts) > 1 else ""


def test_every_package_has_a_floor() -> None:
    found = {p.name for p in SOURCE.iterdir() if p.is_dir() and p.name != "__pycache__" and any(p.rglob("*.py"))}
    assert found <= set(FLOORS)


@pytest.mark.parametrize("path", [m for m in MODULES if package_of(m)], ids=lambda p: str(p.relative_to(SOURCE)))
def test_imports_go_down_only(path: Path) -> None:
    here = package_of(path)
    for module, line in imports(path):
        parts = module.split(".")
        if parts[0] == "spinelab" and len(parts) > 1 and parts[1] in FLOORS and parts[1] != here:
            assert FLOORS[parts[1]] < FLOORS[here], f"{path.name}:{line}: {here} (floor {FLOORS[here]}) imports {parts[1]} (floor {FLOORS[parts[1]]})"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_third_parties_stay_on_their_floors(path: Path) -> None:
    here = package_of(path)
    for module, line in imports(path):
        allowed = ALLOWED.get(module.split(".")[0])
        assert allowed is None or here in allowed, f"{path.name}:{line}: {module} in {here}, allowed in {sorted(allowed or ())}"


def test_core_needs_numpy_only() -> None:
    third_parties = {module.split(".")[0] for path in (SOURCE / "core").rglob("*.py") for module, _ in imports(path)} - set(sys.stdlib_module_names)
    assert third_parties <= {"numpy", "spinelab"}


def test_tasks_do_not_know_each_other() -> None:
    for path in (SOURCE / "tasks").rglob("*.py"):
        folder = path.relative_to(SOURCE / "tasks").parts[0]
        others = {m for m, _ in imports(path) if m.startswith("spinelab.tasks.") and m.split(".")[2] != folder}
        assert not others or folder == "__init__.py", f"{path}: {others}"


def loaded_after(code: str) -> set[str]:
    script = f"{code}\nimport sys; print(*{{name.partition('.')[0] for name in sys.modules}})"
    return set(subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split())


def test_the_command_line_starts_without_numpy() -> None:
    assert not loaded_after("import spinelab.serve.cli") & {*SLOW_TO_IMPORT, "numpy", "scipy", "cv2", "pydicom"}


def test_the_list_of_tasks_needs_no_slow_library() -> None:
    assert not loaded_after("from spinelab import tasks\nfor name in tasks.names(): tasks.load(name)") & SLOW_TO_IMPORT
