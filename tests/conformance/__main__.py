"""``python -m tests.conformance`` writes docs/conformance.md; with ``--check`` it only says whether it is stale."""

import sys

from . import COMMAND, PAGE, Wrong, current


def main() -> str | None:
    """What is wrong, for `sys.exit`."""
    try:
        text = current()
    except Wrong as wrong:
        return str(wrong)
    if "--check" in sys.argv[1:]:
        fresh = PAGE.exists() and PAGE.read_text(encoding="utf-8") == text
        return None if fresh else f"{PAGE.name} is stale: run {COMMAND}"
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(text, encoding="utf-8")
    return None


if __name__ == "__main__":
    sys.exit(main())
