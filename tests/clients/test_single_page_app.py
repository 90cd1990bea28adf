"""The script of docs/guides/single-page-app.md in Chromium: its pages are on one origin, the API on another."""

import json
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from ..docs.pages import blocks, served
from .conftest import need
from .test_browser import Browser, started

pytest.importorskip("flask_cors")
PAGE = "docs/guides/single-page-app.md"


class Files(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        """Write nothing."""


@pytest.fixture
def call(tmp_path):
    """Call a function of the script in a page of the other origin, and return its result or the text of its error."""
    need("chromium")
    pages, api = tmp_path / "pages", tmp_path / "api"
    pages.mkdir()
    api.mkdir()
    (pages / "index.html").write_text("<!doctype html><title>Notes</title><p>Notes")
    files = ThreadingHTTPServer(("127.0.0.1", 0), partial(Files, directory=str(pages)))
    origin = f"http://localhost:{files.server_port}"
    Thread(target=files.serve_forever, daemon=True).start()
    (program, _), (script, _) = blocks(PAGE, "python"), blocks(PAGE, "js")
    try:
        with (
            served(program.replace("http://localhost:3000", origin), api) as port,
            started(tmp_path, Browser) as browser,
        ):
            (pages / "api.js").write_text(script.replace("localhost:5000", f"localhost:{port}"))
            browser.open(f"{origin}/")
            browser.run("window.events = 0; addEventListener('logged-out', () => window.events++)")

            def call(expression):
                told = "value => ({value, events}), error => ({error: error.message, events})"
                return json.loads(
                    browser.run(f"import('/api.js').then(m => m.{expression}).then({told}).then(JSON.stringify)")
                )

            yield call
    finally:
        files.shutdown()
        files.server_close()


def test_the_script_of_the_page_logs_in_reads_and_logs_out(call):
    refused = {"error": "Authentication is required to access this resource.", "events": 1}
    assert call("api('/api/notes')") == refused
    assert call("login('ada', 'wrong')") == {"error": "Wrong name or password.", "events": 2}
    assert call("login('ada', 'correct horse')") == {"value": {"you": "ada"}, "events": 2}
    assert call("api('/api/notes')") == {"value": {"notes of": "ada"}, "events": 2}
    assert call("api('/api/logout', {method: 'POST'})") == {"value": None, "events": 2}
    assert call("api('/api/notes')") == {**refused, "events": 3}
