"""The entry of docs/symptoms.md that a test reproduces."""

import logging
from collections.abc import Iterator

import pytest

from .symptoms import ENTRIES, Entry, name_of_test


@pytest.fixture
def entry(request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture) -> Iterator[Entry]:
    """The entry whose heading is the name of the test. Each line of output that it quotes must be seen."""
    caplog.set_level(logging.INFO, "flask_unauthorized")
    (text,) = [text for slug, text in ENTRIES.items() if name_of_test(slug) == request.node.originalname]
    entry = Entry(text, lambda: caplog.get_records("call"))
    yield entry
    missing = entry.missing()
    assert not missing, "\n".join(["The page quotes", *missing, "and this was seen:", *entry.seen])
