"""The diagrams of docs/explanation: ``python -m tests.docs.diagrams`` draws them.

Their text is written once: the steps are the chart of text on the page a-request.md, and the layers are `LAYERS`, which
the imports are held to. So a diagram can't say anything else. Each diagram is 360 units wide, which fits a phone, and
has its own paper, so that it can be read on any page. Its colors follow the mode of the browser.
"""

import re
from html import escape
from typing import NamedTuple

from tests.test_package import LAYERS

from .pages import ROOT, blocks

PAGE = "docs/explanation/a-request.md"
FOLDER = ROOT / "docs" / "_static"
COMMAND = "python -m tests.docs.diagrams"
WIDTH = 360
# The contrast of each text to its paper is at least 4.5 to 1, in both modes.
STYLE = """\
svg{--ink:#1c2330;--soft:#566074;--paper:#f4f5f8;--card:#fff;--line:#b9c0cd;--no:#a3231f}
@media(prefers-color-scheme:dark){svg{--ink:#e8ebf1;--soft:#a5aec0;--paper:#12151b;--card:#1b1f28;--line:#4a5366;--no:#ff9f9f}}
text{font:13px system-ui,-apple-system,'Segoe UI',Roboto,sans-serif;fill:var(--ink)}
.name{font-weight:600}.soft{fill:var(--soft)}.no{fill:var(--no)}
.paper{fill:var(--paper)}.card{fill:var(--card);stroke:var(--line)}.way{stroke:var(--line);stroke-width:2}.head{fill:var(--line)}
"""


class Step(NamedTuple):
    """What a request passes: its name, what happens there, and how it may be refused."""

    name: str
    lines: list[tuple[str, str]]  # (what happens, the refusal or ""), in the order of the chart


def steps(chart: str) -> list[Step]:
    """Read the chart of text."""
    found: list[Step] = []
    for line in chart.splitlines():
        text = line.strip(" │▼")
        if not text:
            continue
        left, _, refusal = (part.strip() for part in re.sub("─+▶", "▶", text).partition("▶"))
        if line.lstrip().startswith("│") or line.startswith(" " * 20):
            found[-1].lines.append((left, refusal))
        else:
            name, _, what = re.sub(" {2,}", "\t", left).partition("\t")
            found.append(Step(name, [(what.strip(), refusal)]))
    return found


def text(x: int, y: int, words: str, kind: str) -> str:
    """One line of text."""
    return f'<text x="{x}" y="{y}" class="{kind}">{escape(words)}</text>'


def svg(title: str, description: str, height: int, parts: list[str]) -> str:
    """A whole diagram."""
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" '
            'role="img" aria-labelledby="title desc">',
            f'<title id="title">{escape(title)}</title>',
            f'<desc id="desc">{escape(description)}</desc>',
            f"<style>\n{STYLE}</style>",
            f'<rect class="paper" width="{WIDTH}" height="{height}" rx="8"/>',
            *parts,
            "</svg>\n",
        ]
    )


def request() -> str:
    """The way of a request, from the chart of the page."""
    found = steps(blocks(PAGE, "text")[0])
    parts: list[str] = []
    said, y = [], 16
    for step in found:
        lines = [
            (line, kind) for what, refusal in step.lines for line, kind in ((what, "soft"), (refusal, "no")) if line
        ]
        height = 28 + 19 * len(lines)
        if y > 16:
            parts.append(f'<path class="way" d="M180 {y - 22}v12"/><path class="head" d="M174 {y - 10}h12l-6 8z"/>')
        parts.append(f'<rect class="card" x="16" y="{y}" width="{WIDTH - 32}" height="{height}" rx="6"/>')
        parts.append(text(28, y + 19, step.name, "name"))
        for number, (line, kind) in enumerate(lines, 1):
            parts.append(text(28, y + 19 + 19 * number, f"→ {line}" if kind == "no" else line, kind))
        y += height + 22
        refusals = [refusal for _, refusal in step.lines if refusal]
        said.append(step.name + (f" (or {'; '.join(refusals)})" if refusals else ""))
    return svg("What a request goes through", f"In this order: {', '.join(said)}.", y - 6, parts)


def layers() -> str:
    """The rooms of the package, the lowest layer below."""
    parts, said, y = [], [], 16
    for number, rooms in reversed(list(enumerate(LAYERS, 1))):
        lines: list[list[str]] = [[]]
        for room in rooms:
            if lines[-1] and 7.6 * len("  ".join([*lines[-1], room])) > WIDTH - 80:
                lines.append([])
            lines[-1].append(room)
        height = 12 + 19 * len(lines)
        parts.append(f'<rect class="card" x="16" y="{y}" width="{WIDTH - 32}" height="{height}" rx="6"/>')
        parts.append(text(28, y + 20, str(number), "soft"))
        parts += (text(56, y + 20 + 19 * row, " · ".join(line), "name") for row, line in enumerate(lines))
        said.append(f"{number}: {', '.join(rooms)}")
        y += height + 6
    parts.append(text(16, y + 14, "A layer imports only from the layers below it.", "soft"))
    return svg("The layers of the package", f"From top to bottom: {'; '.join(said)}.", y + 28, parts)


DIAGRAMS = {"a-request": request, "layers": layers}

if __name__ == "__main__":
    for name, draw in DIAGRAMS.items():
        (FOLDER / f"{name}.svg").write_text(draw(), encoding="utf-8")
