"""The ten longest functions and files of the package: what to look at when the code feels heavy."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from statistics import quantiles

SOURCE = Path(__file__).parents[1] / "src" / "spinelab"
LARGEST = 10
FILE_LIMIT = 500


def functions(path: Path) -> Iterator[tuple[int, str]]:
    """Length in lines, without the docstring, and name of each function in a file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) is not None else node.body
            lines = (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0
            yield lines, f"{path.relative_to(SOURCE)}:{node.lineno} {node.name}"


def main() -> int:
    files = sorted(((len(p.read_text(encoding="utf-8").splitlines()), str(p.relative_to(SOURCE))) for p in SOURCE.rglob("*.py")), reverse=True)
    bodies = sorted((found for p in SOURCE.rglob("*.py") for found in functions(p)), reverse=True)
    ninth_decile = quantiles([lines for lines, _ in bodies], n=10)[8]
    print(f"{len(files)} files, {sum(lines for lines, _ in files)} lines; 90 % of the function bodies have at most {ninth_decile:.0f} lines")
    for title, listed in (("longest files", files), ("longest function bodies", bodies)):
        print(f"\n{title}")
        for lines, name in listed[:LARGEST]:
            print(f"{lines:6d}  {name}")
    too_long = [name for lines, name in files if lines > FILE_LIMIT]
    if too_long:
        print(f"\nLonger than {FILE_LIMIT} lines: {', '.join(too_long)}")
    return 1 if too_long else 0


if __name__ == "__main__":
    raise SystemExit(main())
