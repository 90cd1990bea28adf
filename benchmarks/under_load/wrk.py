"""The client: wrk, with one thread and a script that sends given requests in turn."""

import json
import shutil
import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

CONNECTIONS = 16
_SCRIPT = Path(__file__).with_name("wrk.lua")
Headers = Mapping[str, str]


class Run(NamedTuple):
    """What one run of wrk saw. Latencies are in milliseconds."""

    requests: int
    per_second: float
    p50: float
    p99: float
    failed: int  # connections that failed, and requests without a response
    unexpected: int  # responses with another status than the one that is due


def has_wrk() -> bool:
    """Whether there is a wrk to run."""
    return shutil.which("wrk") is not None


def run(port: int, sent: Sequence[Headers], due: Sequence[int], seconds: int, folder: Path) -> Run:
    """Sends requests in turn for some seconds. ``due`` are the statuses of the first ones, and then again of all.

    Raises:
        RuntimeError: If there was no response at all.
    """
    file = folder / f"requests-{port}.txt"
    lines = ("\t".join(part for pair in one.items() for part in pair) for one in sent)
    file.write_text("".join(f"{line}\n" for line in lines), encoding="ascii")
    command = [
        "wrk", "--threads", "1", "--connections", str(CONNECTIONS), "--duration", f"{seconds}s", "--timeout", "10s",
        "--script", str(_SCRIPT), f"http://127.0.0.1:{port}/", "--", str(file),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=seconds + 60)
    told = json.loads(done.stdout.splitlines()[-1])
    if not told["requests"]:
        raise RuntimeError(f"wrk got no response from port {port} in {seconds} s: {done.stdout}")
    got = {int(status): count for status, count in told["statuses"].items()}
    return Run(
        told["requests"],
        told["requests"] / told["microseconds"] * 1e6,
        told["p50"] / 1000,
        told["p99"] / 1000,
        told["failed"],
        unexpected(got, due),
    )


def unexpected(got: Mapping[int, int], due: Sequence[int]) -> int:
    """How many responses have a status that isn't due, or that is due to fewer requests.

    Which response belongs to which request isn't told. So each status must come as often as it is due, with a leeway
    for the requests that were under way at the end, and for the first turn.
    """
    total = sum(got.values())
    leeway = CONNECTIONS + len(due)
    shares = Counter(due)
    wrong = 0
    for status in {*got, *due}:
        wanted = total * shares[status] / len(due)
        excess = got.get(status, 0) - wanted
        wrong += round(excess) if excess > (leeway if status in shares else 0) else 0
    return wrong
