"""`KeySetSource`: where the key set of one server is, and what is in it. `JWKS` decides when to read it."""

import functools
import time
from typing import Final

from ..http_client.client import Fetcher, FetchError, Get, shown_url
from ..jose.key_sets import KeySet, parse_key_set
from ..logs import log
from .discovery import discover, member_url

DISCOVER_EVERY: Final = 86_400.0
"""Age at which the issuer's metadata is read again, in seconds."""


class KeySetSource:
    """The key set at ``url``, or with ``issuer`` at the ``jwks_uri`` of its metadata.

    ``name`` is for the log. ``fetch`` takes the place of ``fetcher``, if given. It has no lock, because `JWKS` has one
    fetch under way at a time.
    """

    def __init__(self, url: str, *, fetcher: Fetcher, fetch: Get | None) -> None:
        self.url = url
        self.issuer: str | None = None
        self.name = f"JWKS {shown_url(url)}"
        self._fetcher = fetcher
        self._fetch = fetch
        self._discovered_at = float("-inf")
        self._remarks: tuple[str, ...] = ()  # those of the last set, which are not logged again

    def read(self, now: float) -> KeySet:
        """Fetch the set. ``now`` is by the clock of `JWKS`.

        Raises `FetchError` or `JOSEError` if there is no usable key, and any exception of the app's ``fetch``.
        """
        end = time.monotonic() + self._fetcher.timeout  # for metadata and keys together
        get = self._fetch or functools.partial(self._fetcher.get, end=end)
        if self.issuer is not None and now - self._discovered_at >= DISCOVER_EVERY:
            self.url = member_url(
                discover(self.issuer, get),
                "jwks_uri",
                allow_http_loopback=self._fetcher.allow_http_loopback,
                any_url=self._fetch is not None,
            )
            self._discovered_at = now
        found = parse_key_set(get(self.url))
        for text in found.remarks:
            if text not in self._remarks:
                log.warning("%s: %s", self.name, text)
        self._remarks = found.remarks
        if not found.keys:
            raise FetchError("no usable key in the response")
        return found

    def forget_url(self) -> None:
        """Read the issuer's metadata before the next fetch: the keys may have moved."""
        self._discovered_at = float("-inf")
