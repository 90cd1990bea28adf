"""Which media type and language a client prefers (RFC 9110 §12.5.1, RFC 4647).

`negotiate` chooses the media type of the body by these rules, the first one first:

1. The type with the highest weight.
2. A type that the client names, before one that only a wildcard admits.
3. The order of ``offered``.

Two points differ from a plain reading of the RFC. If no type is acceptable, the default is sent, because a refusal in
another form is more useful than a 406. The RFC allows that. Internet Explorer doesn't name HTML when it opens a page,
so the types that it names identify it.

Fields that are too long or have too many ranges count as missing. So the work per request is bounded, and results are
cached, since few different values make up most requests. Werkzeug's parser has no such limits.
"""

import functools
import re
from typing import Final

MAX_ACCEPT: Final = 1024
"""The longest ``Accept`` that is read, in bytes. A longer one counts as ``*/*``."""
MAX_RANGES: Final = 32
"""How many media ranges are read. A field with more counts as ``*/*``."""

_BLANKS = " \t"  # OWS (RFC 9110 §5.6.3). A plain strip() would remove control characters too.
_PAGE_TYPES: Final = ("text/html", "application/xhtml+xml")
_QVALUE = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")


@functools.lru_cache(maxsize=256)
def negotiate(accept: str | None, offered: tuple[str, ...]) -> str:
    """Return the best of the media types in ``offered`` for an ``Accept`` value, else the first one."""
    ranges = _parse_ranges(accept)
    if _is_internet_explorer(ranges):
        ranges.setdefault("text/html", ranges["*/*"])
    # max() returns the first of equals, so the order of offered decides between them.
    best = max(offered, key=lambda media: _rank(media, ranges))
    return best if _rank(best, ranges)[0] > 0 else offered[0]


@functools.lru_cache(maxsize=256)
def is_page_load(accept: str | None) -> bool:
    """Return whether an ``Accept`` value is that of a browser that opens a page.

    Browsers name both HTML and XHTML, and nothing with a higher weight. Programs that accept HTML, such as feed readers
    and Java's ``HttpURLConnection``, name at most one of the two, or prefer another type.
    """
    ranges = _parse_ranges(accept)
    weight = min(ranges.get(media, 0.0) for media in _PAGE_TYPES)
    return weight > 0 and all(
        other <= weight for media, other in ranges.items() if media.rstrip(";") not in _PAGE_TYPES
    )


@functools.lru_cache(maxsize=256)
def accepts_html(accept: str | None) -> bool:
    """Return whether an ``Accept`` value names HTML or XHTML."""
    ranges = _parse_ranges(accept)
    return any(ranges.get(media, 0.0) > 0 for media in _PAGE_TYPES)


@functools.lru_cache(maxsize=256)
def choose_language(accept_language: str | None, offered: tuple[str, ...]) -> str:
    """Return the best of the language tags in ``offered`` by look-up (RFC 4647 §3.4), else the first one."""
    known = {tag.lower(): tag for tag in offered}
    ranges = _parse_ranges(accept_language)
    for language in sorted((name for name, weight in ranges.items() if weight > 0), key=lambda name: -ranges[name]):
        tag = language
        while tag:
            if tag in known and ranges.get(tag, 1.0) > 0:
                return known[tag]
            tag = tag.rpartition("-")[0]
    return offered[0]


def _parse_ranges(field: str | None) -> dict[str, float]:
    """Return the ranges of a field with their weights; none if the field is missing or too long."""
    ranges: dict[str, float] = {}
    if field is None or len(field) > MAX_ACCEPT or field.count(",") >= MAX_RANGES:
        return ranges
    for element in field.split(","):
        name, weight = _parse_range(element)
        if name and weight is not None:
            ranges[name] = max(weight, ranges.get(name, 0.0))
    return ranges


def _parse_range(element: str) -> tuple[str, float | None]:
    """Return the name of a range and its weight, or ``None`` for a malformed weight.

    A range with parameters other than ``q`` matches nothing that is offered, so its name gets a semicolon.
    """
    media, *params = (part.strip(_BLANKS).lower() for part in element.split(";"))
    name = media
    for param in params:
        key, _, value = (part.strip(_BLANKS) for part in param.partition("="))
        if key == "q":
            return name, float(value) if _QVALUE.fullmatch(value) else None
        if media and param and not (key == "charset" and value.strip('"') == "utf-8"):
            name = f"{media};"
    return name, 1.0


def _rank(media: str, ranges: dict[str, float]) -> tuple[float, int]:
    """Return the weight of the most specific range that matches, and how specific that range is."""
    kind = media.partition("/")[0]
    for specific, candidate in ((2, media), (1, f"{kind}/*"), (0, "*/*")):
        if candidate in ranges:
            return ranges[candidate], specific
    return 0.0, 0


def _is_internet_explorer(ranges: dict[str, float]) -> bool:
    """Return whether Internet Explorer (Edge's IE mode) opens a page: it names images, and weighs ``*/*`` the same.

    Other browsers, and those that load an image, give ``*/*`` a lower weight than what they name.
    """
    return ranges.get("*/*") == ranges.get("image/gif") == ranges.get("image/jpeg") == 1.0
