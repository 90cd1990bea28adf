"""``python -m tests.conformance`` writes two pages; with ``--check`` it only says whether one is stale.

The pages are docs/evidence/conformance.md (RFCs) and docs/explanation/asvs.md (what auditors ask).
"""

import sys

from . import COMMAND, PAGE, Wrong, audits, current


def main() -> str | None:
    """What is wrong, for `sys.exit`."""
    for page, text_of in ((PAGE, current), (audits.PAGE, audits.current)):
        try:
            text = text_of()
        except Wrong as wrong:
            return str(wrong)
        if "--check" not in sys.argv[1:]:
            page.write_text(text, encoding="utf-8")
        elif not page.exists() or page.read_text(encoding="utf-8") != text:
            return f"{page.name} is stale: run {COMMAND}"
    return None


if __name__ == "__main__":
    sys.exit(main())
