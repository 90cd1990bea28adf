"""Stores hold what requests share across threads, processes and hosts.

Used nonces and proofs, ended sessions, revoked tokens and the counters of a throttle are in a store.

- `flask_unauthorized.stores.sqlite`: `SQLiteStore`, for all processes of one machine.
- `flask_unauthorized.stores.redis`: `RedisStore`, for any number of hosts (extra ``redis``).
- `flask_unauthorized.stores.memory`: `MemoryStore`, for a single process and for tests.
- `flask_unauthorized.stores.base`: `Store`, the base class of a store of your own.
"""
