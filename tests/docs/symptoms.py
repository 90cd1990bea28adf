"""Reading docs/symptoms.md: the entries, what they quote, and a client that runs their `curl` commands.

A test reproduces an entry: it builds the app that shows the symptom, runs the commands of the page, and builds the app
again with the code of the page. When it ends, every line of output that the entry quotes must have been seen.
"""

import logging
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import urlsplit

PAGE = Path(__file__).parents[2] / "docs" / "symptoms.md"
TEXT = PAGE.read_text(encoding="utf-8")


def slug(heading: str) -> str:
    """Return the fragment of a heading, as the hosting service and the site make it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


ENTRIES = {slug(part.partition("\n")[0]): part for part in re.split(r"^### ", TEXT, flags=re.MULTILINE)[1:]}


def name_of_test(entry: str) -> str:
    """Return the name of the test function of an entry."""
    return "test_" + re.sub(r"\W+", "_", entry).strip("_")


class Entry:
    """An entry, and what a test has seen of it."""

    def __init__(self, text: str, records: Callable[[], list[logging.LogRecord]]) -> None:
        self.text = text
        self.seen: list[str] = []
        self._records = records
        self._format = logging.Formatter("%(levelname)s:%(name)s:%(message)s")

    def blocks(self, language: str) -> list[str]:
        """Return the code blocks of a language, in their order."""
        return re.findall(rf"^```{language}\n(.*?)^```", self.text, re.DOTALL | re.MULTILINE)

    @property
    def fix(self) -> str:
        """The code that the entry says to write."""
        return self.blocks("python")[-1]

    @property
    def quoted(self) -> list[str]:
        """The lines of output in the entry."""
        lines = [line for block in self.blocks("console") + self.blocks("text") for line in block.splitlines()]
        return [line for line in lines if line and not line.startswith("$ ")]

    def commands(self, block: int) -> list[str]:
        """Return the commands of a ``console`` block."""
        return [line[2:] for line in self.blocks("console")[block].splitlines() if line.startswith("$ ")]

    def run(self, program: str, part: str, **names: Any) -> dict[str, Any]:
        """Run a program whose line ``PART`` is replaced, and return its names."""
        assert "PART" in program
        scope = {"__name__": "app", **names}
        exec(compile(program.replace("PART", part, 1), "app.py", "exec"), scope)
        return scope

    def curl(self, app: Any, block: int = 0, client: Any = None, headers: Any = (), **values: str) -> list[int]:
        """Run the ``curl`` commands of a ``console`` block, note the output, and return the statuses.

        ``$NAME`` in a command is one of ``values``. ``headers`` are those that a proxy or a browser adds.
        """
        client = client or app.test_client(use_cookies=False)
        statuses = []
        for command in self.commands(block):
            response = client.open(**_request(Template(command).safe_substitute(values), dict(headers)))
            self.note(response)
            statuses.append(response.status_code)
        return statuses

    def note(self, response: Any) -> Any:
        """Note what a client shows of a response, and return it."""
        self.seen += [f"HTTP/1.1 {response.status}", *(f"{name}: {value}" for name, value in response.headers)]
        self.seen += response.text.splitlines()
        return response

    def log(self) -> list[str]:
        """Return the lines that the log has now, and note them."""
        lines = [line for record in self._records() for line in self._format.format(record).splitlines()]
        self.seen += lines
        return lines

    def missing(self) -> list[str]:
        """Return the quoted lines that were not seen."""
        self.log()
        return [line for line in self.quoted if line.strip() not in {seen.strip() for seen in self.seen}]


def _request(command: str, headers: dict[str, str]) -> dict[str, Any]:
    words = iter(shlex.split(command)[1:])
    request: dict[str, Any] = {"headers": headers}
    for word in words:
        if word == "-H":
            name, _, value = next(words).partition(": ")
            headers[name] = value
        elif word == "-X":
            request["method"] = next(words)
        elif word == "-d":
            request.setdefault("method", "POST")
            request["data"] = next(words)
            request["content_type"] = "application/x-www-form-urlencoded"
        elif word == "-u":
            request["auth"] = tuple(next(words).split(":", 1))
        elif word == "-b":
            headers["Cookie"] = next(words)
        elif word.startswith("http"):
            url = urlsplit(word)
            request["base_url"] = f"{url.scheme}://{url.netloc}"
            request["path"] = url.path + (f"?{url.query}" if url.query else "")
        else:
            assert word in ("-i", "-s", "-k"), f"the test has no {word!r} of curl"
    return request
