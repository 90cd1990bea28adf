"""Which media type the client would rather have (RFC 9110 §12.5.1)."""

import functools
import re
from typing import Final

MAX_ACCEPT: Final = 1024
"""Longest ``Accept`` that is read, in bytes; a longer one counts as ``*/*``."""
MAX_RANGES: Final = 32
"""Most media ranges that are read; more count as ``*/*``."""

_BLANKS = " \t"  # OWS (RFC 9110 §5.6.3); a plain strip() takes control characters as well, which float() doesn't
_PAGES: Final = ("text/html", "application/xhtml+xml")
_QVALUE = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")


@functools.lru_cache(maxsize=256)
def negotiate(accept: str | None, offered: tuple[str, ...]) -> str:
    """The best of ``offered`` for an ``Accept`` value; the first where the client has no wish or none can be met.

    An unmet wish isn't answered 406: the refusal is worth more than its form (RFC 9110 §12.5.1 leaves it open).
    """
    ranges = _ranges(accept)
    if _is_internet_explorer(ranges):
        ranges.setdefault("text/html", ranges["*/*"])
    # max() takes the first of equals, so the order of offered decides between them.
    best = max(offered, key=lambda media: _rank(media, ranges))
    return best if _rank(best, ranges)[0] > 0 else offered[0]


@functools.lru_cache(maxsize=256)
def is_page_load(accept: str | None) -> bool:
    """Whether an ``Accept`` value is that of a browser that opens a page.

    Browsers name both HTML and XHTML there, and weigh nothing higher. Programs that take HTML, such as feed readers and
    Java's ``HttpURLConnection``, name one of the two at most, or prefer another type.
    """
    ranges = _ranges(accept)
    weight = min(ranges.get(media, 0.0) for media in _PAGES)
    return weight > 0 and all(other <= weight for media, other in ranges.items() if media.rstrip(";") not in _PAGES)


@functools.lru_cache(maxsize=256)
def names_page(accept: str | None) -> bool:
    """Whether an ``Accept`` value names HTML or XHTML."""
    ranges = _ranges(accept)
    return any(ranges.get(media, 0.0) > 0 for media in _PAGES)


@functools.lru_cache(maxsize=256)
def choose_language(accept_language: str | None, offered: tuple[str, ...]) -> str:
    """The best of the language tags ``offered`` by look-up (RFC 4647 §3.4); the first where none is wished."""
    known = {tag.lower(): tag for tag in offered}
    wishes = _ranges(accept_language)
    for wish in sorted((wish for wish, quality in wishes.items() if quality > 0), key=lambda wish: -wishes[wish]):
        tag = wish
        while tag:
            if tag in known and wishes.get(tag, 1.0) > 0:
                return known[tag]
            tag = tag.rpartition("-")[0]
    return offered[0]


def _ranges(accept: str | None) -> dict[str, float]:
    """The media ranges of a field with their weights; none where the field is missing or too long.

    A range with parameters other than q matches nothing that is offered, so it is kept under a name of its own.
    """
    ranges: dict[str, float] = {}
    if accept is None or len(accept) > MAX_ACCEPT or accept.count(",") >= MAX_RANGES:
        return ranges
    for element in accept.split(","):
        media, *params = (part.strip(_BLANKS).lower() for part in element.split(";"))
        quality: float | None = 1.0
        name = media
        for param in params:
            key, _, value = (part.strip(_BLANKS) for part in param.partition("="))
            if key == "q":
                quality = float(value) if _QVALUE.fullmatch(value) else None
                break
            if param and not (key == "charset" and value.strip('"') == "utf-8"):
                name = f"{media};"
        if media and quality is not None:
            ranges[name] = max(quality, ranges.get(name, 0.0))
    return ranges


def _rank(media: str, ranges: dict[str, float]) -> tuple[float, int]:
    """The weight of the most specific range that matches, and how specific it is.

    Between equal weights a type that the client named goes before one that it takes by a wildcard.
    """
    kind = media.partition("/")[0]
    for specific, candidate in ((2, media), (1, f"{kind}/*"), (0, "*/*")):
        if candidate in ranges:
            return ranges[candidate], specific
    return 0.0, 0


def _is_internet_explorer(ranges: dict[str, float]) -> bool:
    """Whether Internet Explorer (Edge's IE mode) opens a page: it names pictures and programs, and takes all else.

    Other browsers, and those that load a picture, weigh ``*/*`` lower than what they name.
    """
    return ranges.get("*/*") == ranges.get("image/gif") == ranges.get("image/jpeg") == 1.0
