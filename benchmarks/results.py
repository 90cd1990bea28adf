"""All that one run measured, and what is derived from it."""

from dataclasses import dataclass

from contenders.base import BARE, Entry
from footprint import Footprint
from instructions import Instructions
from stores import Stores
from timings import StartUp, Timings


@dataclass(frozen=True)
class Results:
    """One run. ``instructions`` are ``None`` where they weren't counted."""

    timings: Timings
    instructions: Instructions | None
    footprints: dict[str, Footprint]
    start_ups: dict[tuple[str, int], StartUp]
    stores: Stores

    def overhead(self, entry: Entry, instructions: bool = False) -> float | None:
        """What a request costs above the bare view's: microseconds or instructions."""
        if not instructions:
            return self.timings.by_entry[entry].overhead
        return None if self.instructions is None else self.instructions.overheads[entry]

    def whole(self, entry: Entry, instructions: bool = False) -> float | None:
        """The whole request over the bare view's."""
        if not instructions:
            return self.timings.by_entry[entry].ratio
        return None if self.instructions is None else 1 + self.instructions.overheads[entry] / self.instructions.bare

    def quotient(self, ours: Entry, theirs: Entry, instructions: bool = False) -> float | None:
        """Our overhead over another one's."""
        above, below = self.overhead(ours, instructions), self.overhead(theirs, instructions)
        return None if above is None or below is None else above / below

    def garbage(self, entry: Entry) -> float:
        """Objects per request that only the cycle collector frees, above those that Flask leaves by itself."""
        return self.timings.garbage[entry] - self.timings.garbage[BARE]
