r"""The way back: the page that a login leads to, and how its address travels to the login page and back.

The redirect to the login page carries the address of the requested page in the query parameter ``next``
(`return_path`). After the login, `Auth.next_url` reads it again (`next_url`). In between the address is in the hands
of the client, and anybody can publish a link to the login page with a ``next`` of their own. An app that follows such
a link leads its users from its own login page to a forged one (an open redirect, CWE-601).

Both directions therefore use the same check, `is_path_of_app`. In this order:

1. The address is a path on this host for every browser. Browsers also read ``//host``, ``/\host`` and paths with tabs
   or line breaks as other hosts.
2. It is short enough for every cookie, log line and proxy on the way.
3. It has no dot segments. Browsers resolve them after the check, also in the spelling ``%2e``.
4. It lies below the path where the app is mounted. Other apps of the host may belong to other people.

Invariants: `next_url` returns such a path or what the app itself gave as the default. It never leads to the login page
or the logout page, where the user would start again. ``next`` counts only if the request holds one value: with several
it is open which one a proxy or a page has checked.

Two more details keep users safe. The path is quoted again, because browsers and Werkzeug disagree on unquoted
characters. The query is dropped unless all its parameters are listed in ``keep_query``, because addresses appear in
logs and ``Referer`` fields, and a query may hold a secret.

Users can't come back to a form that was sent, or to a fragment that htmx asked for. Instead, `path_of_page` takes the
address of the page around them, as the browser names it in ``Referer`` or ``HX-Current-URL``.
"""

from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, quote, unquote

from flask import Request
from werkzeug.exceptions import HTTPException

from ..errors import MalformedCredentials
from ..forward_auth.forwarded import forwarded_request
from ..schemes.base import query_values
from ..schemes.request_target import PATH_CHARACTERS
from ..schemes.session.page_urls import is_own_path

if TYPE_CHECKING:
    from ..schemes.session.scheme import SessionCookie

MAX_NEXT_BYTES: Final = 2048
"""Longest ``next`` that is sent or followed, in bytes."""
_TARGET_CHARACTERS: Final = PATH_CHARACTERS + "%?#"
"""What `quote` leaves alone in a target that is quoted already and may have a query and a fragment."""


def next_url(scheme: "SessionCookie", request: Request, default: str | None) -> str:
    """Return where to send the user after the login; see `Auth.next_url`."""
    try:
        values = query_values(request, "next")
    except MalformedCredentials:  # The query holds octets that are not UTF-8.
        values = []
    found = {*values, *request.form.getlist("next")}
    target = found.pop() if len(found) == 1 else ""
    if is_path_of_app(target, request):
        start_again = {unquote(page) for page in (scheme.login_url(), scheme.logout_url()) if page is not None}
        if unquote(_path_of(target)) not in start_again:
            return quote(target, safe=_TARGET_CHARACTERS)
    if default is not None:
        return default
    root = f"{_mount_path(request)}/"
    return root if is_path_of_app(root, request) else "/"


def return_path(scheme: "SessionCookie", request: Request) -> str | None:
    """Return the path of the requested page, with its query if ``keep_query`` lists all parameters.

    ``None`` if `next_url` would not accept that path.
    """
    forwarded = forwarded_request(request.environ)
    if forwarded is None:
        path = _mount_path(request) + quote(
            request.environ.get("PATH_INFO", "").encode("latin-1"), safe=PATH_CHARACTERS
        )
    else:  # The page lies behind a proxy that asks the app.
        path = quote(forwarded.path.encode("latin-1"), safe=PATH_CHARACTERS + "%")
    return _with_kept_query(path, request.query_string.decode("latin-1"), scheme, request)


def path_of_page(scheme: "SessionCookie", request: Request, url: str | None) -> str | None:
    """Return the path of a page of this app that a request field names, with its query as in `return_path`.

    ``None`` if the field is missing or names a page of another origin: then another site sent the user, or a proxy
    doesn't tell the app its own address.
    """
    try:
        own = f"{request.scheme}://{request.host}/"
    except HTTPException:  # The app doesn't trust the host.
        return None
    if url is None or not url.startswith(own):
        return None
    path, _, query = url[len(own) - 1 :].partition("#")[0].partition("?")
    return _with_kept_query(path, query, scheme, request)


def _with_kept_query(path: str, query: str, scheme: "SessionCookie", request: Request) -> str | None:
    # Some frameworks separate parameters by semicolons too. A part without "=" is a name as well.
    names = {name for name, _ in parse_qsl(query.replace(";", "&"), keep_blank_values=True)}
    target = f"{path}?{query}" if names and names <= scheme.keep_query and query.isascii() else path
    return target if is_path_of_app(target, request) else None


def is_path_of_app(target: str, request: Request) -> bool:
    """Return whether every browser reads ``target`` as a path of this app on this host."""
    if not is_own_path(target) or len(target.encode(errors="replace")) > MAX_NEXT_BYTES:
        return False
    path = quote(_path_of(target), safe=_TARGET_CHARACTERS)
    if any(segment in (".", "..") for segment in path.lower().replace("%2e", ".").split("/")):
        return False
    mount_path = _mount_path(request)
    return path == mount_path or path.startswith(f"{mount_path}/")


def _path_of(target: str) -> str:
    """Return ``target`` without its query and fragment."""
    return target.partition("#")[0].partition("?")[0]


def _mount_path(request: Request) -> str:
    """Return the path where the app is mounted, quoted; empty for the root of the host."""
    return quote(request.script_root, safe=PATH_CHARACTERS)
