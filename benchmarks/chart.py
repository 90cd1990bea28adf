"""The chart: overheads as bars, an SVG that follows the reader's light or dark setting."""

from collections.abc import Sequence
from typing import NamedTuple
from xml.sax.saxutils import escape

_STYLE = """
svg { background: #ffffff; font: 13px system-ui, sans-serif; }
text { fill: #1f2328; }
.muted { fill: #59636e; }
.grid { stroke: #d1d9e0; }
.ours { fill: #0969da; }
.other { fill: #8c959f; }
@media (prefers-color-scheme: dark) {
svg { background: #0d1117; }
text { fill: #f0f6fc; }
.muted { fill: #9198a1; }
.grid { stroke: #3d444d; }
.ours { fill: #58a6ff; }
.other { fill: #6e7681; }
}
"""
_WIDTH, _LABELS, _VALUES, _ROW, _TOP = 800, 290, 70, 24, 40


class Bar(NamedTuple):
    """One contender."""

    label: str
    value: float
    ours: bool


def draw(title: str, unit: str, groups: Sequence[tuple[str, Sequence[Bar]]]) -> str:
    """The chart of some groups of bars on one scale."""
    longest = max(bar.value for _, bars in groups for bar in bars)
    scale = (_WIDTH - _LABELS - _VALUES) / longest
    lines, y = [], _TOP
    for heading, bars in groups:
        y += _ROW
        lines.append(f'<text x="16" y="{y}" font-weight="600">{escape(heading)}</text>')
        for bar in bars:
            y += _ROW
            lines += _bar(bar, y, max(bar.value * scale, 1))
        y += 12
    height = y + 16
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" '
            f'height="{height}" role="img" aria-label="{escape(title)}">',
            f"<title>{escape(title)}</title>",
            f"<style>{_STYLE}</style>",
            f'<text x="16" y="30" font-size="16" font-weight="600">{escape(title)}</text>',
            f'<text x="{_WIDTH - 16}" y="30" text-anchor="end" class="muted">{escape(unit)}</text>',
            f'<line x1="{_LABELS}" y1="{_TOP}" x2="{_LABELS}" y2="{height - 16}" class="grid"/>',
            *lines,
            "</svg>\n",
        ]
    )


def _bar(bar: Bar, y: int, width: float) -> list[str]:
    kind = "ours" if bar.ours else "other"
    weight = ' font-weight="600"' if bar.ours else ""
    return [
        f'<text x="{_LABELS - 10}" y="{y}" text-anchor="end"{weight}>{escape(bar.label)}</text>',
        f'<rect x="{_LABELS}" y="{y - 12}" width="{width:.1f}" height="15" class="{kind}"/>',
        f'<text x="{_LABELS + width + 6:.1f}" y="{y}" class="muted">{bar.value:.1f}</text>',
    ]
