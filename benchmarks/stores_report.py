"""The section of the page on stores."""

from collections.abc import Callable, Iterable, Sequence

from contenders.base import Entry
from contenders.stores import has_redis
from results import Results
from stores import LABELS, OPERATIONS

Table = Callable[[Sequence[str], Iterable[Sequence[str]]], str]


def stores(results: Results, table: Table, thousands: Callable[[Results, Entry], str]) -> str:
    """What a store adds to a request, and what its operations cost."""
    missing = "" if has_redis() else "\nRedisStore was not measured: that needs redis-server on this machine.\n"
    requests = [_request(results, what, key, thousands) for what, key in _rows()]
    operations = [
        (f"{LABELS[kind]}, {how}", *(f"{getattr(found[name], field):.1f}" for name in OPERATIONS))
        for kind, found in results.stores.items()
        for how, field in (("processor", "processor"), ("elapsed", "elapsed"))
    ]
    return f"""## Stores

Accepted requests. Digest spends a count in one operation; a session with a store asks it twice, whether the session was
ended and whether all of the user's were. A request without valid credentials never reaches the store. SQLite has its
file in the folder for temporary files, Redis a server on this machine.
{missing}
{table(("", "overhead, µs", "quartiles", "whole request", "k instructions"), requests)}
One operation alone, in microseconds. What is elapsed includes waiting, for Redis to answer and for the disk, and
whatever else the machine did; the processor's time is this thread's, so that it leaves out what Redis does.

{table(("", *OPERATIONS.values()), operations)}"""


def _rows() -> list[tuple[str, str]]:
    kinds = [kind for kind in LABELS if kind != "redis" or has_redis()]
    return [
        *(
            (f"Digest, {LABELS[kind]}", "ours.digest" if kind == "memory" else f"ours.store-digest-{kind}")
            for kind in kinds
        ),
        ("session, no store", "ours.session"),
        *((f"session, {LABELS[kind]}", f"ours.store-session-{kind}") for kind in kinds),
    ]


def _request(
    results: Results, what: str, key: str, thousands: Callable[[Results, Entry], str]
) -> tuple[str, str, str, str, str]:
    entry = key, "accepted"
    timing = results.timings.by_entry[entry]
    return (
        what,
        f"{timing.overhead:.1f}",
        f"{timing.low:.1f} to {timing.high:.1f}",
        f"{timing.ratio:.2f} x",
        thousands(results, entry),
    )
