"""Our stores, as contenders and the measurement of their operations use them."""

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import redis

from flask_unauthorized.stores.base import Store
from flask_unauthorized.stores.memory import MemoryStore
from flask_unauthorized.stores.redis import RedisStore
from flask_unauthorized.stores.sqlite import SQLiteStore

_URL = "BENCHMARK_REDIS_URL"  # in the environment, for the processes under valgrind use the same server


def has_redis() -> bool:
    """Whether there is a Redis server to start."""
    return shutil.which("redis-server") is not None


def makers() -> dict[str, Callable[[], Store]]:
    """What makes a new store of each kind that can be measured here."""
    found: dict[str, Callable[[], Store]] = {"memory": MemoryStore, "sqlite": _sqlite}
    return {**found, "redis": _redis} if has_redis() else found


@contextlib.contextmanager
def redis_server() -> Iterator[None]:
    """Runs a Redis server on a free port as long as the block does, where there is one."""
    program = shutil.which("redis-server")
    if program is None:
        yield
        return
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with TemporaryDirectory() as folder:
        command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            _wait_for(port)
            os.environ[_URL] = f"redis://127.0.0.1:{port}/0"
            yield
        finally:
            os.environ.pop(_URL, None)
            process.kill()
            process.wait()


def _wait_for(port: int) -> None:
    end = time.monotonic() + 10
    with redis.Redis(port=port, socket_timeout=1) as client:
        while not _answers(client):
            if time.monotonic() > end:
                raise TimeoutError("redis-server did not come up in 10 s")
            time.sleep(0.02)


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False


_files: Iterator[int] = iter(range(1, 1_000_000))


@cache
def _folder() -> "TemporaryDirectory[str]":
    return TemporaryDirectory(ignore_cleanup_errors=True)  # Windows doesn't remove what is open


def _sqlite() -> Store:
    return SQLiteStore(Path(_folder().name) / f"{next(_files)}.db")


def _redis() -> Store:
    # Under valgrind all is fifty times slower, and the 250 ms of a URL's client could be too few.
    return RedisStore(redis.Redis.from_url(os.environ[_URL], socket_timeout=10))
