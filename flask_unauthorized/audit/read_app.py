"""What the audit reads of an app. No loader, no store and no network is used."""

from ..errors import ConfigurationError
from ..policy.effective import EffectiveRequirements
from ..policy.settings import Settings, read_settings
from ..runtime.app_state import AppState
from .demand import names_of_schemes
from .findings import Audited


def read_app(state: AppState) -> tuple[Audited, str | None]:
    """Return what the findings are made from, and what ``flask unauthorized check`` refuses of it, if anything.

    The check calls ``check`` of schemes, loaders and stores, which may ask a server. So only its other part is done.
    """
    settings, mistake = Settings(), None
    try:
        settings = read_settings(state.app.config)
        effective = EffectiveRequirements(state.configuration, state.app)
        effective.refresh()
        effective.check()
    except ConfigurationError as error:
        mistake = str(error)
    return Audited(state.routes(), names_of_schemes(state.schemes), state.app.config, settings), mistake


def protects_app(state: AppState) -> bool:
    """Return whether ``protect(app)`` demands a caller of every view, whatever the request."""
    protection = state.configuration.protections.get(state.app)
    return protection is not None and not protection.requirement.unless
