"""`RedisStore` keeps its entries in Redis, for workers on any number of hosts. Needs the extra ``redis``.

- Each operation is one command, or one script that Redis runs as a whole. So it is atomic, and a crash of the app can't
  leave an entry without expiry.
- The server's clock decides about expiry.
- A window is a hash with one slot per place, because a number in Lua 5.1 holds only 53 bits.
- The operations of a throttle name several keys, so they need a single server, not a Redis Cluster.
- Redis evicts all keys or none (``noeviction``). So counters of a throttle take room from the other entries until they
  expire.
- The client waits 250 ms at most. It retries once if a connection was closed while idle, and never after a timeout,
  because a second one would double the wait.
- Types and values that the library didn't write are `AuthUnavailable`, because no result can be derived from them.
"""

from collections.abc import Sequence
from typing import Any, ClassVar, Final

from ..errors import AuthUnavailable, ConfigurationError
from ..logs import log
from .base import WINDOW, Count, Store

try:
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry
except ImportError as missing:
    raise ImportError("RedisStore needs redis-py: pip install 'flask-unauthorized[redis]'") from missing

TIMEOUT: Final = 0.25
"""Longest wait for a connection, and for a response, in seconds. Then the store counts as unavailable."""


_INCREMENT: Final = """
local count = redis.call('INCR', KEYS[1])
if redis.call('PTTL', KEYS[1]) < 0 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return count
"""
_INCREMENT_MANY: Final = """
local counts = {}
for place, key in ipairs(KEYS) do
    local count, lifetime = redis.call('INCR', key), tonumber(ARGV[place])
    local rest = redis.call('PTTL', key)
    if rest < 0 or rest > lifetime then
        redis.call('PEXPIRE', key, ARGV[place])
        rest = lifetime
    end
    table.insert(counts, count)
    table.insert(counts, rest)
end
return counts
"""
_DECREMENT: Final = """
for _, key in ipairs(KEYS) do
    if redis.call('EXISTS', key) == 1 and redis.call('DECR', key) <= 0 then redis.call('DEL', key) end
end
return 1
"""
# The slot ``number % WINDOW`` of the hash holds the number that was last spent in it. If that is not below ``number``,
# then ``number`` was spent before, or lies at least a whole window behind.
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
# The first argument says whether a value is expected at all: an empty text is a value.
_REPLACE: Final = """
local found = redis.call('GET', KEYS[1])
if ARGV[1] == '0' and found or ARGV[1] == '1' and found ~= ARGV[2] then return 0 end
redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4])
return 1
"""


class RedisStore(Store):
    """A store in Redis 6.2 or newer.

    Another server will do if it speaks the protocol of Redis and runs its scripts. The server must not evict keys
    (``maxmemory-policy noeviction``), because an evicted nonce could be used again. The policy is read before the first
    request. Another one is logged as a warning.

    Example:
        Share ended sessions between hosts::

            from flask_unauthorized import SessionCookie
            from flask_unauthorized.stores.redis import RedisStore

            sessions = SessionCookie(find_user, store=RedisStore("redis://localhost:6379/0", prefix="notes"))

    Args:
        server: A URL (``"redis://localhost:6379/0"``, ``"rediss://…"`` for TLS), or your own `redis.Redis`. The client
            for a URL waits 250 ms at most.
        prefix: As with `Store`.
        strict: Raises `ConfigurationError` if the server evicts keys.

    Raises:
        ConfigurationError: ``prefix`` isn't a token.
        TypeError: ``server`` is neither a URL nor a client.
    """

    unavailable_errors: ClassVar[tuple[type[Exception], ...]] = (OSError, redis.RedisError)

    def __init__(
        self, server: "str | redis.Redis", *, prefix: str = "flask_unauthorized", strict: bool = False
    ) -> None:
        super().__init__(prefix=prefix, strict=strict)
        self._client: Any = _client(server) if isinstance(server, str) else server
        if not hasattr(self._client, "register_script"):
            raise TypeError(f"RedisStore takes a URL or a redis.Redis, not {type(server).__name__}")
        self._warned_of_plain = False
        self._increments = self._client.register_script(_INCREMENT)
        self._increments_many = self._client.register_script(_INCREMENT_MANY)
        self._decrements = self._client.register_script(_DECREMENT)
        self._spends = self._client.register_script(_SPEND)
        self._replaces = self._client.register_script(_REPLACE)

    def check(self) -> None:
        """Warn, or with ``strict`` raise `ConfigurationError`, if the server may evict keys.

        A connection without TLS to another machine is a warning too, which is logged once for each store.
        """
        host = _host_without_tls(self._client)
        if host is not None and not self._warned_of_plain:
            self._warned_of_plain = True
            log.warning(
                "RedisStore: the connection to %a has no TLS, so others in the network can read and change its entries "
                "and the password of the server: use rediss://",
                host,
            )
        try:
            policy = self._client.config_get("maxmemory-policy").get("maxmemory-policy")
        except self.unavailable_errors as error:  # it may be up later, and some servers don't allow CONFIG
            log.warning("RedisStore: the eviction policy could not be read (%s)", type(error).__name__)
            return
        if policy not in (None, "noeviction"):
            text = f"RedisStore: maxmemory-policy is {policy!a}, so used nonces may be accepted again: set noeviction"
            if self.strict:
                raise ConfigurationError(text)
            log.warning("%s", text)

    def _claim(self, key: str, lifetime: float) -> bool:
        return self._client.set(key, "1", nx=True, px=_milliseconds(lifetime)) is True

    def _spend(self, key: str, number: int, lifetime: float) -> bool:
        return _validated_int(self._spends(keys=[key], args=[number, _milliseconds(lifetime)])) == 1

    def _increment(self, key: str, lifetime: float) -> int:
        return _validated_int(self._increments(keys=[key], args=[_milliseconds(lifetime)]))

    def _increment_many(self, counters: Sequence[tuple[str, float]]) -> list[Count]:
        response = self._increments_many(
            keys=[key for key, _ in counters], args=[_milliseconds(lifetime) for _, lifetime in counters]
        )
        if not isinstance(response, list) or len(response) != 2 * len(counters):
            raise AuthUnavailable(
                reason=f"RedisStore: a script returned type {type(response).__name__}, expected a count and a rest "
                "for each key"
            )
        numbers = [_validated_int(number) for number in response]
        # The server keeps an entry one millisecond longer, which must not make a Retry-After one second longer.
        return [
            Count(count, min(rest / 1000, lifetime))
            for count, rest, (_, lifetime) in zip(numbers[::2], numbers[1::2], counters, strict=True)
        ]

    def _decrement(self, keys: Sequence[str]) -> None:
        _validated_int(self._decrements(keys=keys))

    def _forget(self, keys: Sequence[str]) -> None:
        if keys:  # DEL takes one key at least
            _validated_int(self._client.delete(*keys))

    def _put(self, key: str, value: str, lifetime: float) -> None:
        result = self._client.set(key, value, px=_milliseconds(lifetime))
        if result is not True:
            raise AuthUnavailable(
                reason=f"RedisStore: SET returned type {type(result).__name__}, expected True: the value was not stored"
            )

    def _replace(self, key: str, old: str | None, new: str, lifetime: float) -> bool:
        arguments = ["0" if old is None else "1", old or "", new, _milliseconds(lifetime)]
        return _validated_int(self._replaces(keys=[key], args=arguments)) == 1

    def _get(self, key: str) -> str | None:
        return _validated_text(self._client.get(key))

    def _get_many(self, keys: Sequence[str]) -> list[str | None]:
        # A pipeline sends all commands at once, also to a Redis Cluster, where MGET must not name keys of two slots.
        with self._client.pipeline(transaction=False) as pipeline:
            for key in keys:
                pipeline.get(key)
            values = pipeline.execute()
        if not isinstance(values, list) or len(values) != len(keys):
            raise AuthUnavailable(
                reason=f"RedisStore: a pipeline returned type {type(values).__name__}, expected a value for each key"
            )
        return [_validated_text(value) for value in values]


def _validated_text(value: Any) -> str | None:
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
    retry = Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,))
    return redis.Redis.from_url(url, socket_timeout=TIMEOUT, socket_connect_timeout=TIMEOUT, retry=retry)


def _host_without_tls(client: Any) -> str | None:
    """Return the host of another machine to which a client connects without TLS; ``None`` if there is none.

    A client that has no single server, such as that of a cluster, isn't judged. Neither is a Unix socket.
    """
    pool = getattr(client, "connection_pool", None)
    kind, options = getattr(pool, "connection_class", None), getattr(pool, "connection_kwargs", {})
    if not (isinstance(kind, type) and issubclass(kind, redis.Connection)) or issubclass(kind, redis.SSLConnection):
        return None
    host = str(options.get("host", "localhost"))
    return None if host in ("localhost", "::1") or host.startswith("127.") else host


def _milliseconds(lifetime: float) -> int:
    return int(lifetime * 1000) + 1


def _validated_int(response: Any) -> int:
    if isinstance(response, bool) or not isinstance(response, int):
        raise AuthUnavailable(reason=f"RedisStore: a script returned type {type(response).__name__}, expected an int")
    return response
