"""The commands ``flask unauthorized tokens …``, for the `StoredTokens` that serve an app.

A new token is the only thing that ``issue`` and ``rotate`` print to standard output, so that a script can store it. All
else goes to standard error. ``--json`` prints one document in place of both.
"""

import dataclasses
import json
import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any, Final

import click
from flask import Flask
from flask.cli import ScriptInfo

from ...errors import AuthUnavailable
from ...schemes.loader_chain import LoaderChain
from ...schemes.state_access import readable_app_state
from .records import AlreadyRotated, Issued, TokenEnded, TokenRecord, UnknownToken

_SPAN: Final = re.compile(r"([0-9]{1,9})([smhdw]?)", re.ASCII)
_SECONDS: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def span(value: str) -> timedelta:
    """Read a span of time: ``3600``, ``90m``, ``12h``, ``90d``, ``4w``. It is the type of options."""
    found = _SPAN.fullmatch(value)
    if found is None:
        raise click.BadParameter(f"{value!r} is not a span of time: write 3600, 90m, 12h, 90d or 4w")
    return timedelta(seconds=int(found[1]) * _SECONDS[found[2]])


class _TokenCommands(click.Group):
    """A group that reports expected failures by their message."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with _app_of(ctx).app_context():
                return super().invoke(ctx)
        except (ValueError, TypeError, UnknownToken) as error:
            raise click.ClickException(str(error)) from None
        except AuthUnavailable as error:
            raise click.ClickException(str(error.reason)) from None


@click.group(name="tokens", cls=_TokenCommands)
@click.option("--prefix", help="Which tokens, if the app has StoredTokens with several prefixes.")
@click.pass_context
def tokens(context: click.Context, prefix: str | None) -> None:
    """Issue, list and revoke the tokens in the app's database."""
    found = {one.prefix: one for one in _stored_tokens(_app_of(context))}
    if not found:
        raise click.UsageError(
            "No scheme of this app has StoredTokens as a loader: write Bearer(tokens), without a function around it."
        )
    if prefix is None and len(found) == 1:
        (prefix,) = found
    if prefix not in found:
        raise click.UsageError(f"Give --prefix before the command, one of {', '.join(sorted(found))}.")
    context.obj = found[prefix]


_as_json: Final = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@tokens.command("issue")
@click.argument("owner")
@click.option("--name", required=True, help="What the token is for.")
@click.option("--scope", "scopes", multiple=True, help="Repeat this for several scopes. Default: none.")
@click.option("--role", "roles", multiple=True, help="Repeat this for several roles. Default: none.")
@click.option("--lifetime", type=span, help="Such as 90d. Default: the longest that the app allows.")
@_as_json
@click.pass_obj
def issue(stored: Any, owner: str, name: str, scopes: Any, roles: Any, lifetime: Any, as_json: bool) -> None:
    """Issue a token to OWNER, and print it. It can't be printed again."""
    _print_issued(stored.issue(owner, name=name, scopes=scopes, roles=roles, lifetime=lifetime), as_json)


@tokens.command("list")
@click.argument("owner")
@click.option("--all", "include_ended", is_flag=True, help="Also tokens that have ended.")
@_as_json
@click.pass_obj
def list_tokens(stored: Any, owner: str, include_ended: bool, as_json: bool) -> None:
    """List the tokens of OWNER, the newest first. The tokens themselves are not known."""
    records = list(_all_records(stored.list, owner, include_ended))
    if as_json:
        click.echo(json.dumps([_as_dict(record) for record in records]))
        return
    for record in records:
        click.echo(_as_line(record))


@tokens.command("revoke")
@click.argument("owner")
@click.argument("numbers", metavar="[ID]...", type=int, nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All tokens of OWNER.")
@click.pass_obj
def revoke(stored: Any, owner: str, numbers: tuple[int, ...], everything: bool) -> None:
    """End the tokens with these IDs, which OWNER has. The exit status is 1 if one of them wasn't valid."""
    if everything == bool(numbers):
        raise click.UsageError("Give ids, or --all.")
    if everything:
        click.echo(f"Revoked: {stored.revoke_all(owner)}", err=True)
        return
    failed = [number for number in numbers if not stored.revoke(number, owner)]
    click.echo(f"Revoked: {len(numbers) - len(failed)}", err=True)
    if failed:
        raise click.ClickException(f"not valid before, or not of {owner!r}: {', '.join(map(str, failed))}")


@tokens.command("rotate")
@click.argument("owner")
@click.argument("number", metavar="ID", type=int)
@click.option("--overlap", type=span, default="24h", show_default=True, help="How long the old one stays valid.")
@click.option("--lifetime", type=span, help="Default: as long as the old one had.")
@click.option("--again", is_flag=True, help="The new token got lost and was never used: make another one.")
@_as_json
@click.pass_obj
def rotate(stored: Any, owner: str, number: int, overlap: Any, lifetime: Any, again: bool, as_json: bool) -> None:
    """Replace the token ID of OWNER by a new one, and print that. It can't be printed again."""
    try:
        issued = stored.rotate(number, owner, overlap=overlap, lifetime=lifetime, again=again)
    except (AlreadyRotated, TokenEnded) as error:
        raise click.ClickException(str(error)) from None
    _print_issued(issued, as_json)


@tokens.command("prune")
@click.option("--ended-before", type=span, default="30d", show_default=True, help="How long ago they ended.")
@click.pass_obj
def prune(stored: Any, ended_before: timedelta) -> None:
    """Delete the rows of tokens that ended long ago."""
    click.echo(f"Deleted: {stored.prune(ended_before=ended_before)}", err=True)


# --- inside


def _app_of(context: click.Context) -> Flask:
    info = context.find_object(ScriptInfo)
    return (ScriptInfo() if info is None else info).load_app()


def _stored_tokens(app: Flask) -> Iterator[Any]:
    """Yield the loaders of the app's schemes that are `StoredTokens`."""
    from .tokens import StoredTokens  # here, because it needs SQLAlchemy, and the help of this command doesn't

    for scheme in readable_app_state(app).schemes:
        loader = scheme._loader
        for one in loader.loaders if isinstance(loader, LoaderChain) else (loader,):
            if isinstance(one, StoredTokens):
                yield one


def _all_records(listed: Callable[..., list[TokenRecord]], owner: str, include_ended: bool) -> Iterator[TokenRecord]:
    after = None
    while page := listed(owner, include_ended=include_ended, after=after, limit=1000):
        yield from page
        after = page[-1].id


def _print_issued(issued: Issued, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"token": issued.token, "record": _as_dict(issued.record)}))
        return
    click.echo(_as_line(issued.record), err=True)
    click.echo(issued.token)


def _as_line(record: TokenRecord) -> str:
    until = "for ever" if record.expires_at is None else f"until {record.expires_at:%Y-%m-%d %H:%M} UTC"
    scopes = " ".join(sorted(record.scopes)) or "no scopes"
    return f"{record.id}  {record.hint}  {record.state}  {until}  {scopes}  {record.name}"


def _as_dict(record: TokenRecord) -> dict[str, Any]:
    values = {**dataclasses.asdict(record), "state": record.state}
    for name, value in values.items():
        if isinstance(value, frozenset):
            values[name] = sorted(value)
        elif isinstance(value, datetime):
            values[name] = value.isoformat()
    return values
