"""Every case of every app in every server, each run between two runs of bare Flask in the same server."""

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from contenders.base import Environ, Series
from contenders.stores import redis_server

from .apps import BARE, CASES, FOLDER, THUMBPRINT, Loaded, bare, build, hold_key, loaded
from .servers import SERVERS, Server, serve
from .wrk import Headers, Run, run

FLAT = 4.0
"""Memory is flat if the workers grow by less than this, in MiB, from the end of the warm-up to the end of all runs."""
_LEEWAY = 1.5  # more requests than the warm-up's rate asks for, where each is good once


class Measured(NamedTuple):
    """One case, and the mean of bare Flask's requests per second just before and after it."""

    run: Run
    bare_per_second: float

    @property
    def ratio(self) -> float:
        """Requests per second over bare Flask's."""
        return self.run.per_second / self.bare_per_second


class Memory(NamedTuple):
    """MiB of the workers after the warm-up and at the end, and the requests in between."""

    before: float
    after: float
    requests: int

    @property
    def growth(self) -> float:
        """MiB."""
        return self.after - self.before


class ServerResults(NamedTuple):
    """All that was measured in one server. By key of the app; ``memory`` is empty where the system doesn't tell."""

    cases: Mapping[tuple[str, str], Measured]
    bare: Sequence[Run]
    memory: Mapping[str, Memory]
    warm_ups: Sequence[Run]

    def all_runs(self) -> list[Run]:
        """All runs, also of bare Flask and those that only warm up."""
        return [*self.warm_ups, *self.bare, *(one.run for one in self.cases.values())]


LoadResults = Mapping[str, ServerResults]
"""By server."""


def measure(seconds: int, say: Callable[[str], None]) -> LoadResults:
    """Runs everything, and ends all that it has started."""
    with tempfile.TemporaryDirectory() as name, redis_server():
        folder = Path(name)
        os.environ.update({FOLDER: name, THUMBPRINT: hold_key()})
        clients = {one.key: _Client(one, folder, seconds) for one in (bare(), *loaded())}
        return {server: _in_server(server, clients, folder, say) for server in SERVERS}


def _in_server(name: str, clients: Mapping[str, "_Client"], folder: Path, say: Callable[[str], None]) -> ServerResults:
    cases: dict[tuple[str, str], Measured] = {}
    memory: dict[str, Memory] = {}
    with serve(name, BARE, folder) as plain:
        warm_ups = [clients[BARE].run(plain, "accepted", warms_up=True)]
        bares = [clients[BARE].run(plain, "accepted")]
        for one in loaded():
            say(f"{name}: {one.key}")
            with serve(name, one.key, folder) as server:
                client = clients[one.key]
                warm_ups += [client.run(server, case, warms_up=True) for case in one.cases]
                before, count = server.memory(), 0
                for case in one.cases:
                    got = client.run(server, case)
                    bares.append(clients[BARE].run(plain, "accepted"))
                    cases[one.key, case] = Measured(got, (bares[-2].per_second + bares[-1].per_second) / 2)
                    count += got.requests
                after = server.memory()
                if before is not None and after is not None:
                    memory[one.key] = Memory(before, after, count)
    return ServerResults(cases, bares, memory, warm_ups)


class _Client:
    """Sends the requests of one app. Those that are good once are made before each run."""

    def __init__(self, one: Loaded, folder: Path, seconds: int) -> None:
        self._loaded = one
        self._folder = folder
        self._seconds = seconds
        self._requests: dict[str | None, Environ | Series] = {None: {}}
        self._requests.update(one.contender.requests(build(one.contender)))
        self._rate = 500.0  # responses per second, at the least; the warm-up tells more

    def run(self, server: Server, case: str, *, warms_up: bool = False) -> Run:
        seconds = max(1, self._seconds // 3) if warms_up else self._seconds
        sent = [one for name in CASES[case] for one in self._make(name, seconds, warms_up)]
        got = run(server.port, sent, self._loaded.statuses(case), seconds, self._folder)
        self._rate = max(self._rate, got.per_second)
        return got

    def _make(self, name: str | None, seconds: int, warms_up: bool) -> list[Headers]:
        made = self._requests[name]
        if not callable(made):
            return [_as_headers(made)]
        if not self._loaded.is_good_once:
            return [_as_headers(made(1)[0])]
        rate = 5000.0 if warms_up else self._rate * _LEEWAY
        return [_as_headers(one) for one in made(round(rate * seconds))]


def _as_headers(environ: Environ) -> Headers:
    return {name.removeprefix("HTTP_").replace("_", "-").title(): value for name, value in environ.items()}
