"""Closes the databases that a test has opened, because Python 3.13 warns of connections that nobody closes."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, Engine, event


@pytest.fixture(autouse=True)
def closed_engines() -> Iterator[None]:
    """Close the pools of all engines that were used. An engine that is used once more opens new connections."""
    used: set[Engine] = set()

    def note(connection: Connection) -> None:
        used.add(connection.engine)

    event.listen(Engine, "engine_connect", note)
    yield
    event.remove(Engine, "engine_connect", note)
    for engine in used:
        engine.dispose()
