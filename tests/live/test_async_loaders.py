"""Async loaders on servers whose requests share a thread. F-51."""

import json
import socketserver
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from .conftest import GUNICORN, Server, ask, running

APP = "tests.live.async_loaders_app:app"
SERVERS = {
    "gevent": (*GUNICORN, "-k", "gevent", APP),
    "gevent-pywsgi": (*GUNICORN, "-k", "gevent_pywsgi", APP),
    "gthread": (*GUNICORN, "-k", "gthread", "--threads", "20", APP),
}


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with running(request.param, SERVERS[request.param]) as started:
        yield started


@pytest.fixture(scope="module")
def greeter() -> Iterator[int]:
    """The port of a server that a loader talks to."""

    class Hello(socketserver.StreamRequestHandler):
        def handle(self):
            self.wfile.write(b"hello\n")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Hello) as listening:
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        yield listening.server_address[1]
        listening.shutdown()


def at_once(server, *requests):
    with ThreadPoolExecutor(len(requests)) as pool:
        return list(pool.map(lambda lines: ask(server, *lines), requests))


def test_parallel_requests_are_judged_each_by_its_own_credentials(server):
    requests = [(b"Authorization: Bearer t%d" % number, b"X-Name: n%d" % number) for number in range(20)]
    answers = at_once(server, *requests)
    assert [answer.status for answer in answers] == [200] * 20
    assert [json.loads(answer.body)["you"] for answer in answers] == [f"t{number} n{number}" for number in range(20)]


def test_refusals_and_outages_of_parallel_loaders(server):
    answers = at_once(
        server,
        *[(b"Authorization: Bearer bad",), (b"Authorization: Bearer down",)] * 8,
        (b"Authorization: Basic eDp5",),
    )
    assert [answer.status for answer in answers] == [401, 503] * 8 + [401]
    assert all(answer.challenges for answer in answers if answer.status == 401)


def test_other_schemes_and_a_loader_that_uses_the_network(server, greeter):
    requests = [(b"Authorization: Basic YWRhOnB3",), (b"X-API-Key: device", b"X-Port: %d" % greeter)] * 10
    answers = at_once(server, *requests)
    assert [json.loads(answer.body)["you"] for answer in answers] == ["ada", "device"] * 10
