"""The command ``flask unauthorized explain``.

Exit status: 0 if the route was explained, 1 if no view responds to such a request (404, 405, a redirect of the router),
2 if the app can't be read or the route can't be explained.
"""

from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import click
from flask import Flask

from ..audit.shown import echo
from ..errors import ConfigurationError
from ..load_app import Unreadable, load_app
from ..policy.routes import Route
from ..runtime.app_state import AppState, app_state_of
from ..wire.grammar import is_token
from .ask import Unexplainable, ask
from .cases import Case, cases_of
from .curl import SERVER, curl_command
from .find_route import NoRoute, find_route, find_target
from .outputs import Explanation, as_json, as_messages, as_text

_CREDENTIALS: Final = frozenset({"authorization", "cookie"})


@click.command("explain")
@click.argument("method")
@click.argument("path")
@click.option(
    "--as", "headers", multiple=True, metavar="'NAME: VALUE'",
    help="A header line that each request has, such as 'Accept: text/html'. Repeat this for several.",
)  # fmt: skip
@click.option(
    "--case", "names", multiple=True, metavar="NAME",
    help="Show only this case, by its label or its name in JSON. Repeat this for several.",
)  # fmt: skip
@click.option("--raw", is_flag=True, help="Print whole responses. \\r\\n marks the end of each header line.")
@click.option("--json", "json_", is_flag=True, help="Print JSON.")
@click.option("--curl", is_flag=True, help="Print the curl command for each case.")
@click.option(
    "--url", metavar="URL",
    help=f"With --curl: scheme, host and port of the server. Default: {SERVER}, or those of PATH if it is a URL.",
)  # fmt: skip
@click.option(
    "--root", type=click.Path(exists=True, file_okay=False, path_type=Path), default=".",
    help="The folder to which paths are relative. Default: the current one.",
)  # fmt: skip
@click.pass_context
def explain(
    context: click.Context, method: str, path: str, headers: tuple[str, ...], names: tuple[str, ...], *,
    raw: bool, json_: bool, curl: bool, url: str | None, root: Path,
) -> None:  # fmt: skip
    """Print what each kind of caller of METHOD PATH gets.

    PATH is a real path, a URL, or a rule, such as '/notes/<int:id>'. The requests go through the app, with its hooks
    and error handlers. The view doesn't run, and no loader, throttle or store is asked.

    The exit status is 1 if no view responds to such a request, and 2 if the app can't be read or the route can't be
    explained.
    """
    _check_forms(raw=raw, json=json_, curl=curl, url=url)
    method = _validated_method(method)
    path, server = _path_and_server(path, url)
    _check_path(path)
    app = load_app(context)
    try:
        state = _set_up(app)
        routes = state.routes()
        https = state.settings.require_https or app.config["PREFERRED_URL_SCHEME"] == "https"
        target = find_target(app, routes, method, path, https=https)
        route = find_route(app, routes, target)
        target = target._replace(is_websocket=route.kind == "websocket")
        lines = [_validated_header(line, state) for line in headers]
        cases = _chosen(cases_of(_explainable(route), target, state), names)
        if curl:
            for case in cases:
                echo(f"# {case.label}\n{curl_command(app, target, case, lines, server)}")
            return
        answers = [(case, ask(state, target, case, lines)) for case in cases]
    except NoRoute as error:
        raise click.ClickException(f"{error}.") from None
    except (ConfigurationError, Unexplainable) as error:
        raise Unreadable(str(error)) from None
    except click.ClickException:
        raise
    except (Exception, SystemExit) as error:  # of a converter, a scheme, a teardown function
        raise Unreadable(f"code of the app raised {type(error).__name__}") from error
    explanation = Explanation(target, route, answers, _count_hooks(app, route), root.resolve())
    as_chosen = {(True, False): as_messages, (False, True): as_json}.get((raw, json_), as_text)
    echo(as_chosen(explanation))


def _check_forms(*, url: str | None, **forms: bool) -> None:
    chosen = [f"--{name}" for name, is_chosen in forms.items() if is_chosen]
    if len(chosen) > 1:
        raise click.UsageError(f"{' and '.join(chosen)} exclude each other: give one of them")
    if url is not None and not forms["curl"]:
        raise click.UsageError("--url is for the commands that --curl prints: add --curl, or leave --url out")


def _path_and_server(path: str, url: str | None) -> tuple[str, str | None]:
    """Return path and query, and the server: that of ``--url``, else that of ``PATH`` if it is a URL, else ``None``."""
    server = None if url is None else _validated_url(url)
    if not path.lower().startswith(("http://", "https://")):
        return path, server
    scheme, _, rest = path.partition("://")
    end = next((index for index, character in enumerate(rest) if character in "/?#"), len(rest))
    of_path = _validated_url(f"{scheme}://{rest[:end]}", "PATH")
    return rest[end:].partition("#")[0] or "/", server or of_path


def _validated_url(url: str, parameter: str = "--url") -> str:
    """Return scheme, host and port of a URL, which has nothing else."""
    try:
        parts = urlsplit(url)
        is_server = (
            parts.scheme in ("http", "https")
            and parts.hostname is not None
            and parts.port != 0
            and parts.username is None
            and (parts.path.strip("/"), parts.query, parts.fragment) == ("", "", "")
            and url.isprintable()
        )
        if is_server:
            return f"{parts.scheme}://{parts.netloc}"
    except ValueError:
        pass
    raise click.BadParameter(  # without the URL, which may hold a password
        "it is not the address of a server: write scheme, host and port only, such as http://127.0.0.1:5000",
        param_hint=parameter,
    )


def _set_up(app: Flask) -> AppState:
    """Do what the first request does before it is judged: check the set-up, and wrap the views.

    Raises:
        ConfigurationError: For a mistake in the set-up.
        Unreadable: If a loader, a scheme or a store raises in its check.
    """
    state = app_state_of(app)
    try:
        state.check()
    except ConfigurationError:
        raise
    except Exception as error:  # code of the app raises whatever it likes
        raise Unreadable(f"the check of the set-up raised {type(error).__name__}") from error
    state.serve(None, state.finish_set_up)
    return state


def _explainable(route: Route) -> Route:
    if route.state == "unknown":
        raise Unexplainable(f"what {route.rule} demands is unknown: {route.because}")
    return route


def _chosen(cases: list[Case], names: tuple[str, ...]) -> list[Case]:
    known = [case.name for case in cases]
    for name in names:
        if name not in known and all(name != case.label for case in cases):
            raise click.BadParameter(f"{name!r} is none of {', '.join(known)}", param_hint="--case")
    return [case for case in cases if not names or case.name in names or case.label in names]


def _validated_method(method: str) -> str:
    if not is_token(method):
        raise click.BadParameter(f"{method!r} is not an HTTP method: write GET, POST and the like", param_hint="METHOD")
    return method.upper()


def _check_path(path: str) -> None:
    try:
        path.encode()
    except UnicodeEncodeError:
        raise click.BadParameter(
            f"{path!r} isn't UTF-8: percent-encode its bytes, such as %FF", param_hint="PATH"
        ) from None


def _validated_header(line: str, state: AppState) -> tuple[str, str]:
    """Return name and value of a header line.

    Credentials are refused: they would be real, and the cases have their own.
    """
    name, colon, value = line.partition(":")
    value = value.strip(" \t")
    if not colon or not is_token(name) or not value.isprintable() or not _is_latin1(value):
        raise click.BadParameter(f"{line!r} is not a header line: write 'Accept: text/html'", param_hint="--as")
    read = {place for scheme in state.schemes for where, place in scheme.reads if where == "header"}
    if name.lower() in _CREDENTIALS | read:
        raise click.BadParameter(
            f"{name} carries credentials, and each case sends its own: choose one with --case", param_hint="--as"
        )
    return name, value


def _is_latin1(value: str) -> bool:
    return all(ord(character) < 256 for character in value)


def _count_hooks(app: Flask, route: Route) -> int:
    """Return how many ``before_request`` functions run for a route."""
    names = route.endpoint.split(".")[:-1]
    owners = [None, *(".".join(names[:length]) for length in range(1, len(names) + 1))]
    return sum(len(app.before_request_funcs.get(owner, ())) for owner in owners)
