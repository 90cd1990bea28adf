"""Find phrases that readers of this project had to read twice.

The list holds phrases of our own making that once stood in README, docs or messages. Each line is a regular expression
and what to write instead. The check reads Markdown outside of code. It also reads all texts and comments of the package
and the examples, including error messages and docstrings. Where a phrase is right, end its line with
``# prose: allowed``, in Markdown with ``<!-- prose: allowed -->``.

Spelling is codespell's job.
"""

from __future__ import annotations

import io
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# This page quotes standards and names of tests. It and the other pages are generated from what is checked.
MARKDOWN = ("*.md", "docs/**/*.md", "benchmarks/*.md", "fuzz/*.md", ".github/**/*.md")
GENERATED = {"docs/evidence/conformance.md"}
ALLOWED = "prose: allowed"

PHRASES = {
    r"our own trouble|(?:is|are|has|in) trouble\b": "name the failure: a server-side failure, an unavailable database",
    r"by day (?:and|or) by night": "say when it holds",
    r"(?<!here )\b(?:is|are) no (?!longer|more|less|need)(?=\w)": "is not a …, aren't …",
    r"\b(?:is|are) no(?=[.,;:)])": "means …, is rejected",
    r"\b(?i:outside) stays?\b": "not covered",
    r"(?:^|[.:] )Kept (?:is|are)\b": "start with the subject: `X` is cached for …",
    r"\b(?i:whoever)\b": "callers who …, or the name of the actor",
    r"\b(?i:nobody)\b": "name the actor: no caller, no loader, unauthenticated",
    r"\b(?i:somebody)\b": "name the actor: a caller, another extension",
    r"\b(?:is|are|isn't|aren't|of) ours\b|\bours\b(?=[.,;:)])": "the extension, its …",
    r"\b(?:get|gets|got|getting) in\b(?! the way)": "is accepted, is admitted",
    r"\bsays? (?:yes|no) to\b": "accepts, rejects",
    r"(?<!here )\b(?:is|are) nothing\b|\bcounts? as nothing\b": "is ignored",
    r"\b[Tt]old apart\b|\b[Tt]ells? apart\b": "distinguished",
    r"\bin one's\b|\bof one's\b": "your",
    r"(?:^|[.:] )(?:Told|Good|Over|Asked) (?:is|are)\b": "start with the subject",
    r"\bgood answers?\b": "a valid response",
    r"(?<!\()\banswers? (?:with )?[1-5]\d\d\b": "responds with …",
    r"\b(?:time|session|login|period|lifetime|overlap) (?:is|are|was) over\b": "has expired, has ended",
    r"\b(?:can|could|can't|cannot|could not|couldn't) be told\b": "be distinguished, be named",
    r"\bis what (?:\S+ ){1,3}says? it is\b": "name what is checked",
    r"(?:^|[.;:] )Who (?:sends|should|must|asks|has|was|needs|wants|comes|calls|logs|waits)\b[^?]*$": "callers who …",
    r"\b(?:than|that|for|and|or|if|where|(?i:whether)) who(?:ever)? (?:should|was|is)\b": "callers who …",
    r"^who (?:should|must|needs|wants|sends|has)\b": "callers who …",
    r"\bnor (?:will|can|is|are|does|do)\b": "two sentences; the second starts with its subject",
    r"\bgoes? before what\b": "takes precedence over",
    r"\bwhose every\b|\bends? in size\b": "has a limit of …",
    r"\bholds where\b|\bwhere any has\b": "say how values are combined: all(), any()",
    r"\bwhat holds\b": "what the app enforces",
    r"\bread the same, the first\b": "if two …, keep the first",
}
FIND = [(re.compile(pattern), advice) for pattern, advice in PHRASES.items()]


def markdown_lines(text: str) -> Iterator[tuple[int, str]]:
    """Give the lines outside of code blocks, without code spans and addresses."""
    in_code = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith(("```", "~~~")):
            in_code = not in_code
        elif not in_code:
            yield number, re.sub(r"`[^`]*`|(?<=\])\([^)]*\)|<https?:[^>]*>", "code", line)


def python_lines(text: str) -> Iterator[tuple[int, str]]:
    """Give the lines of comments and texts. Constants that are one word are no prose, but they match nothing either."""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type in (tokenize.COMMENT, tokenize.STRING) or tokenize.tok_name[token.type] == "FSTRING_MIDDLE":
            for offset, line in enumerate(token.string.splitlines()):
                yield token.start[0] + offset, line


def findings(path: Path, text: str) -> Iterator[str]:
    """Name the line and the phrase for each that is found."""
    allowed = {number for number, line in enumerate(text.splitlines(), 1) if ALLOWED in line}
    for number, line in markdown_lines(text) if path.suffix == ".md" else python_lines(text):
        for pattern, advice in FIND:
            if number not in allowed and (found := pattern.search(line.strip(" \"'#"))):
                yield f"{path}:{number}: {found[0].strip('.: ')!r}: {advice}"


def main(*names: str) -> int:
    """Check the named files, or all. Return 1 if a phrase is found."""
    files = [Path(name).resolve() for name in names] or [
        *(path for pattern in MARKDOWN for path in ROOT.glob(pattern)),
        *(ROOT / "flask_unauthorized").rglob("*.py"),
        *(ROOT / "examples").rglob("*.py"),
    ]
    found = [
        line
        for path in sorted(set(files))
        if (short := path.relative_to(ROOT)).as_posix() not in GENERATED
        for line in findings(short, path.read_text(encoding="utf-8"))
    ]
    print(*found, sep="\n", end="\n" if found else "")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
