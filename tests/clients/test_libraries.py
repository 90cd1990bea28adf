"""Python's HTTP libraries, each with its own way of answering a challenge."""

import asyncio
import gc
import json
import urllib.error
import urllib.request
import warnings

import pytest

from .conftest import USER, WORD, need

CASES = [
    (None, "/any", 401),
    ((USER, WORD), "/any", 200),
    ((USER, WORD), "/basic", 200),
    ((USER, "wrong"), "/any", 401),
    ((USER, WORD), "/bearer", 401),
]


@pytest.mark.parametrize(("credentials", "path", "status"), CASES)
def test_requests(url, credentials, path, status):
    need("requests")
    import requests

    answer = requests.get(url + path, auth=credentials, timeout=10)
    assert answer.status_code == status
    assert status == 200 or answer.headers["WWW-Authenticate"]


@pytest.mark.parametrize(("credentials", "path", "status"), CASES)
def test_httpx(url, credentials, path, status):
    need("httpx")
    import httpx

    answer = httpx.get(url + path, auth=credentials, timeout=10)
    assert answer.status_code == status
    assert status == 200 or answer.headers.get_list("WWW-Authenticate")


@pytest.mark.parametrize(("credentials", "path", "status"), CASES)
def test_aiohttp(url, credentials, path, status):
    need("aiohttp")
    import aiohttp

    async def get():
        headers = {}
        if credentials is not None:
            headers["Authorization"] = aiohttp.encode_basic_auth(*credentials, encoding="utf-8")
        async with aiohttp.ClientSession() as session, session.get(url + path, headers=headers) as answer:
            return answer.status, answer.headers.getall("WWW-Authenticate", [])

    found, challenges = asyncio.run(get())
    assert found == status
    assert status == 200 or challenges


@pytest.fixture
def urllib_warnings():
    """urllib leaves the 401 that it answers unclosed; that is told whenever the collector comes by, so let it come."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.mark.usefixtures("urllib_warnings")
@pytest.mark.parametrize("path", ["/basic", "/any"])
def test_urllib_finds_the_realm_and_answers(url, path):
    """Its handler finds a realm in the Basic challenge only; names and passwords beyond ASCII go as UTF-8."""
    manager = urllib.request.HTTPPasswordMgrWithDefaultRealm()
    manager.add_password("clients", url, USER, WORD)
    opener = urllib.request.build_opener(urllib.request.HTTPBasicAuthHandler(manager))
    with opener.open(url + path, timeout=10) as answer:
        assert json.load(answer) == {"you": USER}


@pytest.mark.usefixtures("urllib_warnings")
def test_urllib_does_not_loop(url):
    manager = urllib.request.HTTPPasswordMgrWithDefaultRealm()
    manager.add_password("clients", url, USER, "wrong")
    opener = urllib.request.build_opener(urllib.request.HTTPBasicAuthHandler(manager))
    with pytest.raises(urllib.error.HTTPError) as refused:
        opener.open(url + "/any", timeout=10)
    assert refused.value.code == 401
    refused.value.close()
