"""Measures apps under load and large apps, and writes the page: ``python benchmarks/load.py``."""

import argparse
import signal
import sys
import time
from pathlib import Path
from types import FrameType

import scale
from under_load import measure, report
from under_load.wrk import has_wrk


def main() -> None:
    """The command. The exit status is 1 if a request failed or got a status that wasn't due."""
    parser = argparse.ArgumentParser(description="Measures servers under load, and large apps.")
    parser.add_argument("--seconds", type=int, default=15, help="of each run; the warm-up has a third (default: 15)")
    parser.add_argument("--quick", action="store_true", help="one second each, and small apps: whether all works")
    evidence = Path(__file__).parents[1] / "docs/evidence"
    parser.add_argument("--output", type=Path, default=evidence, help="folder of the results")
    arguments = parser.parse_args()
    if arguments.seconds < 1:
        parser.error(f"--seconds must be 1 or more, not {arguments.seconds}")
    if not has_wrk():
        parser.error("wrk is missing: apt-get install wrk")
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)  # ends all servers
    begun = time.monotonic()

    def say(what: str) -> None:
        print(f"{time.monotonic() - begun:5.0f} s  {what}", flush=True)

    seconds = 1 if arguments.quick else arguments.seconds
    results = measure.measure(seconds, say)
    scales = scale.measure(arguments.quick, say)
    report.write(results, scales, arguments.output, seconds, arguments.quick)
    say(f"wrote load.md and load.svg in {arguments.output}")
    failed = report.mistakes(results)
    if failed:
        sys.exit(f"{failed} requests failed, or got a status that was not due")


def _stop(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)


if __name__ == "__main__":
    main()
