"""`RedisStore`: in Redis, for workers on any number of hosts. Needs the extra ``redis``."""

from typing import Any, ClassVar, Final

from ..errors import AuthUnavailable, ConfigurationError
from .base import Store, log
from .window import WINDOW

try:
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry
except ImportError as missing:
    raise ImportError("RedisStore needs redis-py: pip install 'flask-unauthorized[redis]'") from missing

TIMEOUT: Final = 0.25
"""Longest wait for the server, to connect and to answer, in seconds; then the store counts as down."""

# Each is one command to the server: nothing can happen in between, not even a crash.
_INCREMENT: Final = """
local count = redis.call('INCR', KEYS[1])
if redis.call('PTTL', KEYS[1]) < 0 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return count
"""
# A hash with a slot for each place in the window, which holds the number that was spent there last. A number that is
# not above it was spent, or lies a whole window behind.
_SPEND: Final = f"""
local number = tonumber(ARGV[1])
local slot = tostring(number % {WINDOW})
local found = redis.call('HMGET', KEYS[1], slot, 'highest')
local last, highest = tonumber(found[1] or '0'), tonumber(found[2] or '0')
if last >= number or highest - number >= {WINDOW} then return 0 end
redis.call('HSET', KEYS[1], slot, ARGV[1])
if number > highest then redis.call('HSET', KEYS[1], 'highest', ARGV[1]) end
if redis.call('PTTL', KEYS[1]) < 0 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 1
"""


class RedisStore(Store):
    """Keeps everything in Redis 6.2 or newer, or what speaks its protocol and runs its scripts.

    ``server`` is a URL (``"redis://localhost:6379/0"``, ``rediss://`` for TLS), for which a client is made that gives
    up after 250 ms, or your own `redis.Redis`. The server must not evict keys (``maxmemory-policy noeviction``): an
    evicted count can be used again. That is looked at before the first request and told in the log, or with
    ``strict`` is a `ConfigurationError`.
    """

    trouble: ClassVar[tuple[type[Exception], ...]] = (OSError, redis.RedisError)

    def __init__(
        self, server: "str | redis.Redis", *, prefix: str = "flask_unauthorized", strict: bool = False
    ) -> None:
        super().__init__(prefix=prefix, strict=strict)
        self._client: Any = _client(server) if isinstance(server, str) else server
        if not hasattr(self._client, "register_script"):
            raise TypeError(f"RedisStore takes a URL or a redis.Redis, not {type(server).__name__}")
        self._increments = self._client.register_script(_INCREMENT)
        self._spends = self._client.register_script(_SPEND)

    def check(self) -> None:
        try:
            policy = self._client.config_get("maxmemory-policy").get("maxmemory-policy")
        except self.trouble as trouble:  # a server that is down now may be there later; some don't tell
            log.warning("RedisStore: the eviction policy could not be asked (%s)", type(trouble).__name__)
            return
        if policy not in (None, "noeviction"):
            text = f"RedisStore: maxmemory-policy is {policy!a}, so that used nonces may be forgotten: set noeviction"
            if self.strict:
                raise ConfigurationError(text)
            log.warning("%s", text)

    def _claim(self, key: str, lifetime: float) -> bool:
        return self._client.set(key, "1", nx=True, px=_milliseconds(lifetime)) is True

    def _spend(self, key: str, number: int, lifetime: float) -> bool:
        return _whole(self._spends(keys=[key], args=[number, _milliseconds(lifetime)])) == 1

    def _increment(self, key: str, lifetime: float) -> int:
        return _whole(self._increments(keys=[key], args=[_milliseconds(lifetime)]))

    def _put(self, key: str, value: str, lifetime: float) -> None:
        answer = self._client.set(key, value, px=_milliseconds(lifetime))
        if answer is not True:
            raise AuthUnavailable(
                reason=f"RedisStore: SET returned type {type(answer).__name__}, expected True: the value was not stored"
            )

    def _get(self, key: str) -> str | None:
        value = self._client.get(key)
        if isinstance(value, bytes):
            try:
                return value.decode()
            except UnicodeDecodeError:
                raise AuthUnavailable(
                    reason="RedisStore: GET returned octets that are not UTF-8, so another program wrote them: give "
                    "each app its own prefix="
                ) from None
        if value is None or isinstance(value, str):
            return value
        raise AuthUnavailable(reason=f"RedisStore: GET returned type {type(value).__name__}, expected bytes or None")


def _client(url: str) -> Any:
    # One more try where the connection was dropped while idle; none after a time-out, for it would take as long again.
    again = Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,))
    return redis.Redis.from_url(url, socket_timeout=TIMEOUT, socket_connect_timeout=TIMEOUT, retry=again)


def _milliseconds(lifetime: float) -> int:
    return int(lifetime * 1000) + 1


def _whole(answer: Any) -> int:
    if isinstance(answer, bool) or not isinstance(answer, int):
        raise AuthUnavailable(reason=f"RedisStore: a script returned type {type(answer).__name__}, expected an int")
    return answer
