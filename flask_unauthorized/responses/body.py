"""The body of a refusal: made by a renderer of the app, or by a built-in one.

A renderer gets the error and gives a body. It can't change status or challenges, and if it fails, the built-in body is
sent: a broken body never costs the refusal. What is the same for the next request is cached: whole responses in the
plan's ready refusals, and bodies, which don't depend on the plan, in `_BODY_CACHE`.
"""

from typing import Final

from flask import Flask, Request, Response

from ..authentication.cross_site import SAFE_METHODS
from ..errors import AuthError
from ..errors.cache_key import CacheKey, response_cache_key
from ..logs import log
from ..policy.challenges import HeaderLines, ReadyRefusal, cache_put
from ..rendering.headers import CHALLENGE_FIELD
from ..rendering.negotiation import choose_language
from ..rendering.problem import Explanation, problem_details
from ..rendering.renderers import BUILT_IN_RENDERERS, Renderer, content_type
from ..runtime.refuse import plan_in_force
from ..runtime.request_state import RequestState
from .ready import ready_response

_NO_SNIFFING: Final = ("X-Content-Type-Options", "nosniff")
"""A field of every body. Bodies hold words of the app, perhaps of the caller, and no browser may take them for HTML."""
_EXPLAINED: Final = ("application/json", "application/problem+json")
_BODY_CACHE: Final[dict[tuple[CacheKey, str], bytes]] = {}


def render_refusal(
    error: AuthError, media_type: str, request: Request, state: RequestState, app: Flask, ready: ReadyRefusal | None
) -> Response:
    """Return the response to a refusal in ``media_type``, and keep it in ``ready`` if it can be sent again."""
    renderers = state.app_state.configuration.renderers
    if media_type in renderers:
        ready = None  # The renderer may fail once, and is asked again next time.
    if media_type in renderers and not state.is_rendering:
        response = _render_by_app(renderers[media_type], media_type, error, state, app)
        if response is not None:
            return _with_headers(response, error)
    if media_type not in BUILT_IN_RENDERERS:
        media_type = next(iter(BUILT_IN_RENDERERS))
    body, lines = _render_built_in(error, media_type, request, state)
    status = getattr(error, "code", 500)
    response = app.response_class(body, status, lines)
    state.rendered_headers = list(iter(response.headers))
    if media_type == "text/html":
        state.rendered_page = response, body
    if ready is not None and media_type != "text/html" and not state.app_state.diagnostics_enabled:
        cached = ready_response(response, state.rendered_headers, body)
        if cached is not None:
            ready.responses[media_type] = cached
    return response


def _render_by_app(
    renderer: Renderer, media_type: str, error: AuthError, state: RequestState, app: Flask
) -> Response | None:
    """Return what the app's renderer makes; ``None`` if it fails."""
    state.is_rendering = True
    try:
        body = renderer(error)
        if isinstance(body, dict):
            body = app.json.dumps(body)
        if isinstance(body, Response):
            del body.headers[CHALLENGE_FIELD]
            return body
        if isinstance(body, (str, bytes)):
            return app.response_class(body, content_type=content_type(media_type))
    except Exception:  # a mistake of a renderer doesn't change the refusal
        log.exception("the renderer for %s failed; the built-in response is sent", media_type)
        return None
    finally:
        state.is_rendering = False
    text = f"the renderer for {media_type} returned a {type(body).__name__}: return str, bytes, a dict or a Response"
    if app.debug or app.testing:
        raise TypeError(text)
    log.error("%s", text)
    return None


def _with_headers(response: Response, error: AuthError) -> Response:
    """Give the response of a renderer the status and the header lines of the error."""
    response.status_code = getattr(error, "code", 500)
    response.headers.setdefault(*_NO_SNIFFING)
    for name, value in (("Vary", "Accept"), *error.auth_headers()):
        if name == CHALLENGE_FIELD:
            response.headers.add(name, value)
        else:
            response.headers[name] = value
    return response


def _render_built_in(
    error: AuthError, media_type: str, request: Request, state: RequestState
) -> tuple[bytes, HeaderLines]:
    """Return body and header lines in a built-in media type."""
    plan = plan_in_force(request, state)
    vary = plan.challenges.vary_header_on_refusal
    lines = [("Content-Type", content_type(media_type)), _NO_SNIFFING, ("Vary", vary), *error.auth_headers()]
    if media_type != "text/html":
        return _render_for_programs(error, media_type, request, state), lines
    from ..browser.login_redirect import login_page_url  # both are loaded for the first page
    from ..rendering.html import CONTENT_SECURITY_POLICY, render_html

    translations = state.app_state.configuration.translations
    language = choose_language(request.environ.get("HTTP_ACCEPT_LANGUAGE"), tuple(translations))
    lines[2] = ("Vary", vary + ", Accept-Language")
    lines += (("Content-Language", language), ("Content-Security-Policy", CONTENT_SECURITY_POLICY))
    problem = problem_details(
        error,
        schemes=plan.challenges.scheme_names,
        credential_kinds=plan.challenges.credential_kinds,
        tried_kind=None if state.attempted_scheme is None else state.attempted_scheme.credential_kind,
        login_page=login_page_url(plan, request),
        has_unsaved_input=request.method not in SAFE_METHODS,
        explanation=_explanation(error, request, state),
    )
    return render_html(problem, translations, language).encode(errors="replace"), lines


def _render_for_programs(error: AuthError, media_type: str, request: Request, state: RequestState) -> bytes:
    problem_base = state.app_state.settings.problem_base
    content = response_cache_key(error)
    if state.app_state.diagnostics_enabled or problem_base is not None or content is None:
        explanation = _explanation(error, request, state) if media_type in _EXPLAINED else None
        problem = problem_details(error, problem_base=problem_base, explanation=explanation)
        return BUILT_IN_RENDERERS[media_type](problem).encode(errors="replace")
    cached = _BODY_CACHE.get((content, media_type))
    if cached is None:
        body = BUILT_IN_RENDERERS[media_type](problem_details(error)).encode()
        cached = cache_put(_BODY_CACHE, (content, media_type), body)
    return cached


def _explanation(error: AuthError, request: Request, state: RequestState) -> Explanation | None:
    if not state.app_state.diagnostics_enabled:
        return None
    from .diagnostics import explain  # imported here: production doesn't need it

    return explain(error, request, state)
