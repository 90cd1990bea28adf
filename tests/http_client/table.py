"""The page of faults, from what the tests measure: ``python -m tests.http_client.table`` writes it."""

from pathlib import Path

from .faults import FAULTS, INTROSPECTION_ONLY, KEYS_ONLY, REQUESTS, STORIES, Issuer, introspection, key_server

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "evidence" / "faults.md"
COMMAND = "python -m tests.http_client.table"
_INTRODUCTION = f"""\
# What happens when the authorization server is …

The tables show the responses to callers, the requests that the server gets, and the warnings in the log. The tests
measured them on a server that misbehaves on purpose. The logger is `flask_unauthorized`. It warns once a minute at
most, besides one warning for each refused request. `{COMMAND}` writes this page, and a test fails if it is stale.

In short: **a failure of the server is 503 with `Retry-After` and without a challenge, never 401. So callers don't throw
a valid token away or log in again because a key server is down. Callers who can be verified with the last valid keys
are accepted.**

- The client follows no redirect and decompresses no response.
- It reads 512 kB at most (keys, metadata), or 64 kB (introspection).
- It never waits longer than the whole `timeout` (5 s and 2 s), even if the response arrives byte by byte. Only the
  look-up of the host's name isn't covered: the system's resolver limits that.

An app can start while its key server is down, because nothing is fetched before the first token arrives.

## Keys (`JWKS`)

- *First*: the fault occurs before any key was fetched.
- *Later*: the fault occurs ten minutes after a fetch.
- *Known*: a valid token whose key was in the set.
- *Unknown*: a token whose key id was not in the set. A new key could have signed it, so it can't be called invalid.

{REQUESTS} requests of each kind come at the same moment, so there is one fetch. The next fetches come after
1, 2, 4 … 60 seconds.
"""
_KEYS = (
    "| the key server is … | first | fetches | later, known | later, unknown | fetches | the log says |\n"
    "|---|---|--:|---|---|--:|---|"
)
_STORIES = """
## Keys, over time

| the key server is … | responses | fetches | log |
|---|---|---|---|"""
_TOKENS = """
## Introspection

Five requests come with one token that isn't cached.

- A server that responds, even with an invalid response, is asked about each token. So one caller's token can't lock the
  others out.
- A server that doesn't respond isn't asked for 1, 2, 4, 8, 10 seconds after the third time.
- An outage is never cached. The first valid response ends it. Cached responses stay in use for their 60 seconds.
- `active` that is missing or anything but `true` is not an outage: callers get 401.

| the endpoint is … | responses | requests | the log says |
|---|---|--:|---|"""


def page() -> str:
    """The page as it should be."""
    issuer = Issuer()
    lines = [_INTRODUCTION, _KEYS]
    for name, fault in (FAULTS | KEYS_ONLY).items():
        first, later = key_server(fault, issuer)
        assert first.log == later.log
        lines.append(_row(name, *first.answers, first.calls, *later.answers, later.calls, later.log))
    lines.append(_STORIES)
    lines += (_row(name, *story(issuer)) for name, story in STORIES.items())
    lines.append(_TOKENS)
    for name, fault in (FAULTS | INTROSPECTION_ONLY).items():
        seen = introspection(fault)
        lines.append(_row(name, *seen.answers, seen.calls, seen.log))
    return "\n".join(lines) + "\n"


def _row(*cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
