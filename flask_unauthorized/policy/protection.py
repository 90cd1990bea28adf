"""`Protection`: what `Auth.protect` demands of all views of an app or a blueprint."""

from collections.abc import Collection
from typing import NamedTuple

from flask import Blueprint, Flask

from .requirement import Requirement


class Protection(NamedTuple):
    """The requirement of one level, and the names of the endpoints that it leaves open."""

    requirement: Requirement
    public: frozenset[str]


def protection_target(target: object) -> Flask | Blueprint:
    """Return ``target`` if it can be protected; else raise `TypeError`."""
    if not isinstance(target, (Flask, Blueprint)):
        raise TypeError(f"protect() takes an app or a blueprint, not {target!r}")
    return target


def public_names(public: Collection[str]) -> frozenset[str]:
    """Return the names of endpoints in ``public``; raise `TypeError` for anything else."""
    if isinstance(public, str):
        raise TypeError(f'public={public!r} is a bare string: write public={{"{public}"}}')
    if not isinstance(public, Collection):
        raise TypeError(f'public must be a collection of endpoint names, not {public!r}: write public={{"static"}}')
    for name in public:
        if not isinstance(name, str):
            named = getattr(name, "__name__", "static")
            raise TypeError(f'public must hold the names of endpoints, not {name!r}: write public={{"{named}"}}')
    return frozenset(public)
