"""Name each function whose cyclomatic complexity is above the limit.

ruff's own check counts neither comprehensions nor ``and`` and ``or``. radon counts them all.
"""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from radon.complexity import cc_visit
from radon.visitors import Class, Function

LIMIT = 12


def functions(blocks: Iterable[Function | Class]) -> Iterator[Function]:
    """Find all functions, also those inside of functions and of inner classes."""
    for block in blocks:
        if isinstance(block, Function):
            yield block
            yield from functions(block.closures)
        else:
            yield from functions([*block.methods, *block.inner_classes])


def main(*folders: str) -> int:
    """Print what is above the limit, most complex first. Return 1 if there is anything."""
    found = {
        (function.complexity, str(path), function.lineno, function.fullname)
        for folder in folders
        for path in Path(folder).rglob("*.py")
        for function in functions(cc_visit(path.read_text(encoding="utf-8")))
        if function.complexity > LIMIT
    }
    for complexity, path, line, name in sorted(found, reverse=True):
        print(f"{path}:{line}: the complexity of {name} is {complexity}. At most {LIMIT} is allowed: split it.")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
