"""`Protection`: what `Auth.protect` demands of all views of an app or a blueprint."""

from collections.abc import Collection, Mapping
from typing import NamedTuple

from flask import Blueprint, Flask

from .requirement import Requirement


class Protection(NamedTuple):
    """The requirement of one level, and the names of the endpoints that it leaves open, with the reason if given."""

    requirement: Requirement
    public: Mapping[str, str | None]


def protection_target(target: object) -> Flask | Blueprint:
    """Return ``target`` if it can be protected; else raise `TypeError`."""
    if not isinstance(target, (Flask, Blueprint)):
        raise TypeError(f"protect() takes an app or a blueprint, not {target!r}")
    return target


def public_names(public: Collection[str] | Mapping[str, str]) -> dict[str, str | None]:
    """Return the names of endpoints in ``public``, each with its reason; raise `TypeError` for anything else."""
    if isinstance(public, str):
        raise TypeError(f'public={public!r} is a bare string: write public={{"{public}"}}')
    if not isinstance(public, Collection):
        raise TypeError(f'public must be a collection of endpoint names, not {public!r}: write public={{"static"}}')
    for name in public:
        if not isinstance(name, str):
            named = getattr(name, "__name__", "static")
            raise TypeError(f'public must hold the names of endpoints, not {name!r}: write public={{"{named}"}}')
    if isinstance(public, Mapping):
        return {name: validated_reason(reason, f"public[{name!r}]") for name, reason in public.items()}
    return dict.fromkeys(public)


def validated_reason(reason: object, where: str) -> str:
    """Return the reason why a view is open; raise `TypeError` for what isn't a text."""
    if not isinstance(reason, str) or not reason.strip():
        raise TypeError(f'{where} must say in words why the view is open, not {reason!r}: write "assets"')
    return reason
