"""Chromium, by its DevTools pipe: when the password box opens, and when it doesn't."""

import itertools
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest

from .conftest import USER, WORD, need

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--remote-debugging-pipe", "about:blank",
)  # fmt: skip
PATIENCE = 30
"""Seconds that the browser has to say something, and a page to become what is waited for."""


class Browser:
    """One page, and the questions for a password that it would have asked."""

    patience = PATIENCE

    def __init__(self, reads: int, writes: int) -> None:
        self._reads, self._writes = reads, writes
        self._ids = itertools.count(1)
        self._buffer = b""
        self._session: str | None = None
        self.asked: list[str] = []
        self.answer: tuple[str, str] | None = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.call("Fetch.enable", handleAuthRequests=True)
        self.call("Page.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        number = self._send(method, params)
        while True:
            message = self._receive()
            if message.get("id") == number:
                assert "error" not in message, message
                return dict(message["result"])

    def _send(self, method: str, params: dict[str, Any]) -> int:
        number = next(self._ids)
        message = {"id": number, "method": method, "params": params}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._writes, json.dumps(message).encode() + b"\0")
        return number

    def _receive(self) -> dict[str, Any]:
        """The next message; requests go on, and questions for a password are answered or cancelled."""
        while b"\0" not in self._buffer:
            assert select.select([self._reads], [], [], self.patience)[0], "the browser says nothing"
            more = os.read(self._reads, 65536)
            assert more, "the browser is gone"
            self._buffer += more
        line, _, self._buffer = self._buffer.partition(b"\0")
        message = dict(json.loads(line))
        params = message.get("params", {})
        if message.get("method") == "Fetch.requestPaused":
            self._send("Fetch.continueRequest", {"requestId": params["requestId"]})
        elif message.get("method") == "Fetch.authRequired":
            self.asked.append(params["authChallenge"]["scheme"])
            answer: dict[str, str] = {"response": "CancelAuth"}
            if self.answer is not None and len(self.asked) == 1:
                answer = {"response": "ProvideCredentials", "username": self.answer[0], "password": self.answer[1]}
            self._send("Fetch.continueWithAuth", {"requestId": params["requestId"], "authChallengeResponse": answer})
        return message

    def open(self, address: str, answer: tuple[str, str] | None = None) -> str:
        """The text of the page that a navigation ends at."""
        self.asked, self.answer = [], answer
        self.call("Page.navigate", url=address)
        whole = "if (document.readyState !== 'complete') throw new Error('not yet')"
        return str(self.run(f"(() => {{ {whole}; return document.body.innerText }})()"))

    def run(self, script: str) -> Any:
        """What ``script`` gives, once it doesn't fail: the page may not be there yet."""
        until = time.monotonic() + self.patience
        while True:
            result = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
            if "exceptionDetails" not in result:
                return result["result"].get("value")
            assert time.monotonic() < until, result["exceptionDetails"]
            time.sleep(0.02)


B = TypeVar("B", bound=Browser)


@contextmanager
def started(folder: Path, kind: type[B], *flags: str) -> Iterator[B]:
    """A Chromium with an empty profile, from its start to its end."""
    program = need("chromium")
    to_browser, from_us = os.pipe()
    to_us, from_browser = os.pipe()
    # DevTools speaks on descriptors 3 and 4.
    start = (
        "import os, sys; from fcntl import fcntl, F_DUPFD; "
        f"r, w = fcntl({to_browser}, F_DUPFD, 9), fcntl({from_browser}, F_DUPFD, 9); "
        "os.dup2(r, 3); os.dup2(w, 4); os.execv(sys.argv[1], sys.argv[1:])"
    )
    with subprocess.Popen(
        [sys.executable, "-c", start, program, *flags, *FLAGS, f"--user-data-dir={folder}"],
        pass_fds=(to_browser, from_browser), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        try:
            os.close(to_browser)
            os.close(from_browser)
            yield kind(to_us, from_us)
        finally:
            process.kill()
            os.close(from_us)
            os.close(to_us)


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    with started(tmp_path, Browser) as found:
        yield found


def test_a_navigation_to_a_password_view_asks_and_gets_in(browser, url):
    assert json.loads(browser.open(url + "/basic", (USER, WORD))) == {"you": USER}
    assert browser.asked == ["Basic"] or browser.asked == ["basic"]


def test_a_cancelled_question_shows_the_page_of_the_refusal(browser, url):
    assert "Please log in" in browser.open(url + "/any")
    assert [scheme.lower() for scheme in browser.asked] == ["basic"]


def test_a_navigation_to_a_view_without_passwords_asks_nothing(browser, url):
    assert "This address is for programs" in browser.open(url + "/bearer")
    assert browser.asked == []


@pytest.mark.rfc("F-07", "F-08", "F-09")
def test_a_script_is_refused_without_a_question_where_another_scheme_is_in_force(browser, url):
    assert browser.open(url + "/page") == "open"
    script = "fetch('/any').then(async a => [a.status, a.headers.get('WWW-Authenticate'), (await a.json()).error])"
    status, challenge, error = browser.run(script)
    assert (status, error) == (401, "Unauthorized")
    assert challenge.startswith('Bearer realm="clients", ApiKey realm="clients"')
    assert browser.asked == []


@pytest.mark.rfc("F-07", "F-08")
def test_a_script_is_asked_where_there_are_only_passwords(browser, url):
    browser.open(url + "/page")
    assert browser.run("fetch('/basic').then(a => a.status)") == 401
    assert [scheme.lower() for scheme in browser.asked] == ["basic"]
