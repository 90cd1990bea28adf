"""Which media type the client would rather have (RFC 9110 §12.5.1)."""

import functools
import re
from typing import Final

MAX_ACCEPT: Final = 1024
"""Longest ``Accept`` that is read, in bytes; a longer one counts as ``*/*``."""
MAX_RANGES: Final = 32
"""Most media ranges that are read; more count as ``*/*``."""

_BLANKS = " \t"  # OWS (RFC 9110 §5.6.3); a plain strip() takes control characters as well, which float() doesn't
_QVALUE = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")


@functools.lru_cache(maxsize=256)
def negotiate(accept: str | None, offered: tuple[str, ...]) -> str:
    """The best of ``offered`` for an ``Accept`` value; the first where the client has no wish or none can be met.

    An unmet wish isn't answered 406: the refusal is worth more than its form (RFC 9110 §12.5.1 leaves it open).
    """
    if accept is None or len(accept) > MAX_ACCEPT or accept.count(",") >= MAX_RANGES:
        return offered[0]
    ranges = _ranges(accept)
    if not ranges:
        return offered[0]
    # max() takes the first of equals, so the order of offered decides between them.
    best = max(offered, key=lambda media: _quality(media, ranges))
    return best if _quality(best, ranges) > 0 else offered[0]


@functools.lru_cache(maxsize=256)
def choose_language(accept_language: str | None, offered: tuple[str, ...]) -> str:
    """The best of the language tags ``offered`` by look-up (RFC 4647 §3.4); the first where none is wished."""
    if accept_language is None or len(accept_language) > MAX_ACCEPT or accept_language.count(",") >= MAX_RANGES:
        return offered[0]
    known = {tag.lower(): tag for tag in offered}
    wishes = _ranges(accept_language)
    for wish in sorted((wish for wish, quality in wishes.items() if quality > 0), key=lambda wish: -wishes[wish]):
        tag = wish
        while tag:
            if tag in known and wishes.get(tag, 1.0) > 0:
                return known[tag]
            tag = tag.rpartition("-")[0]
    return offered[0]


def _ranges(accept: str) -> dict[str, float]:
    """Media ranges with their weights. Parameters of a range other than q make it match nothing that we offer."""
    ranges: dict[str, float] = {}
    for element in accept.split(","):
        media, *params = (part.strip(_BLANKS).lower() for part in element.split(";"))
        quality: float | None = 1.0
        for param in params:
            name, _, value = (part.strip(_BLANKS) for part in param.partition("="))
            if name == "q":
                quality = float(value) if _QVALUE.fullmatch(value) else None
                break
            if param and not (name == "charset" and value.strip('"') == "utf-8"):
                media = ""
        if media and quality is not None:
            ranges[media] = max(quality, ranges.get(media, 0.0))
    return ranges


def _quality(media: str, ranges: dict[str, float]) -> float:
    """The weight of the most specific range that matches."""
    kind = media.partition("/")[0]
    for candidate in (media, f"{kind}/*", "*/*"):
        if candidate in ranges:
            return ranges[candidate]
    return 0.0
