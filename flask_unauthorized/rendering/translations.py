"""The words of the refusal page, by language. An app replaces them in ``auth.texts``.

Visitors read these texts, so they name what happened and what to do, without terms of HTTP. The developer's part of the
page is separate, in English, and not in this table.

Keys end in ``.title`` and ``.message`` for the two texts of a case, and begin with ``do.`` for what the reader can do.
A case may have texts of its own for one kind of credentials: ``expired_token`` stands for ``expired`` if the expired
credentials were an access token. A text that a language lacks is taken from English.
"""

import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Final

from ..errors import ConfigurationError
from ..errors.text import Text, as_text, is_text

Texts = dict[str, Text]
"""The texts of one language, by key."""
_LANGUAGE_TAG: Final = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})*")

_ENGLISH: Final[dict[str, str]] = {
    "missing.title": "Please log in",
    "missing.message": "You need to log in to open this page.",
    "missing_token.title": "This address is for programs",
    "missing_token.message": "It answers programs that send a valid access token.",
    "missing_key.title": "This address is for programs",
    "missing_key.message": "It answers programs that send a valid API key.",
    "missing_program.title": "This address is for programs",
    "missing_program.message": "It answers programs that send a valid access token or API key.",
    "invalid.title": "Your login was not accepted",
    "invalid.message": "It is not valid here, or no longer valid.",
    "invalid_password.title": "That name or password was not accepted",
    "invalid_password.message": "Please check both and try again.",
    "invalid_token.title": "The access token was not accepted",
    "invalid_token.message": "It is not valid here, or no longer valid.",
    "invalid_key.title": "The API key was not accepted",
    "invalid_key.message": "It is not valid here, or no longer valid.",
    "expired.title": "Your login has expired",
    "expired.message": "Please log in again to continue.",
    "expired_token.title": "The access token has expired",
    "expired_token.message": "It was valid before. A new one is needed now.",
    "expired_key.title": "The API key has expired",
    "expired_key.message": "It was valid before. A new one is needed now.",
    "revoked.title": "Your login was ended",
    "revoked.message": "It is no longer valid. Please log in again to continue.",
    "revoked_token.title": "The access token was revoked",
    "revoked_token.message": "It was valid before. A new one is needed now.",
    "revoked_key.title": "The API key was revoked",
    "revoked_key.message": "It was valid before. A new one is needed now.",
    "stolen.title": "Your login was ended for safety",
    "stolen.message": "It was used in a second place, so it may have been copied. Please log in again. If you "
    "don't know why, change your password.",
    "proof.title": "The proof was not accepted",
    "proof.message": "Each request with this access token needs a new proof. It was missing, invalid, or used before.",
    "step_up.title": "Please log in again",
    "step_up.message": "This page needs a more recent or a stronger login than yours.",
    "step_up_token.title": "A newer or stronger login is needed",
    "step_up_token.message": "The access token comes from a login that is too old, or not strong enough, for this.",
    "malformed.title": "Your login could not be read",
    "malformed.message": "What was sent to log you in is damaged, or more than one login was sent.",
    "forbidden.title": "You don't have access",
    "forbidden.message": "We know who you are, but your account does not have permission for this.",
    "cross_site.title": "This came from another site",
    "cross_site.message": "A page of another site sent this in your name. To protect your account, it was not carried "
    "out.",
    "scope.title": "A permission is missing",
    "scope.message": "We know who you are, but your login does not include the permission that is needed here.",
    "scope_token.title": "A permission is missing",
    "scope_token.message": "The access token is valid, but it does not include the permission that is needed here.",
    "scope_key.title": "A permission is missing",
    "scope_key.message": "The API key is valid, but it does not include the permission that is needed here.",
    "throttled.title": "Too many attempts",
    "throttled.message": "There were too many attempts in a short time. Please wait before you try again.",
    "unavailable.title": "Please try again soon",
    "unavailable.message": "We can't check who you are at the moment. The problem is on our side, not yours.",
    "do": "What you can do",
    "do.login": "Log in",
    "do.login_first": "Log in to this site, then load this page again.",
    "do.password": "Load this page again, and enter your name and password when your browser asks for them.",
    "do.sign_on": "This site has a login service. Load this page again, and log in if it asks you.",
    "do.other": "Use a login of the kind “{scheme}”. The people who run this site can tell you how to get one.",
    "do.send_again": "What you sent was not saved. Log in, then go back and send it again.",
    "do.send_with_password": "What you sent was not saved. Go back and send it again, and enter your name and password "
    "when your browser asks for them.",
    "do.send_later": "What you sent was not saved. Go back and send it again later.",
    "do.back": "Go back to the page that you came from.",
    "do.token": "If you are writing a program: send an access token in the Authorization header.",
    "do.proof": "If you are writing a program: send the access token in the Authorization header and, with each "
    "request, a new proof in the DPoP header.",
    "do.key": "If you are writing a program: send your API key with each request.",
    "do.new_token": "Get a new access token, then send the request again.",
    "do.new_key": "Check the API key, or ask the people who run this site for a new one.",
    "do.check": "If you are writing a program: send one access token, key or password, and check that it is complete.",
    "do.ask": "Ask the people who run this site for access.",
    "do.other_account": "If you have another account, log in with that one.",
    "do.here": "Open this site itself, and do it there.",
    "do.trust": "If you run this site and trust the other one, add its origin to trusted_origins= in the app.",
    "do.scope": "Ask the people who run this site for this permission: {scope}",
    "do.token_scope": "Get an access token with this permission: {scope}",
    "do.wait": "Try again later.",
    "do.wait_moment": "Try again in a moment.",
    "do.wait_seconds": "Try again in {seconds} seconds.",
    "do.wait_minutes": "Try again in {minutes} minutes.",
    "do.wait_hours": "Try again in {hours} hours.",
    "again": "Load this page again",
}

_GERMAN: Final[dict[str, str]] = {
    "missing.title": "Bitte melden Sie sich an",
    "missing.message": "Um diese Seite zu öffnen, müssen Sie sich anmelden.",
    "missing_token.title": "Diese Adresse ist für Programme",
    "missing_token.message": "Sie antwortet Programmen, die ein gültiges Zugriffstoken senden.",
    "missing_key.title": "Diese Adresse ist für Programme",
    "missing_key.message": "Sie antwortet Programmen, die einen gültigen API-Schlüssel senden.",
    "missing_program.title": "Diese Adresse ist für Programme",
    "missing_program.message": "Sie antwortet Programmen, die ein gültiges Zugriffstoken oder einen gültigen "
    "API-Schlüssel senden.",
    "invalid.title": "Ihre Anmeldung wurde nicht angenommen",
    "invalid.message": "Sie gilt hier nicht oder nicht mehr.",
    "invalid_password.title": "Name oder Passwort wurde nicht angenommen",
    "invalid_password.message": "Bitte prüfen Sie beides und versuchen Sie es noch einmal.",
    "invalid_token.title": "Das Zugriffstoken wurde nicht angenommen",
    "invalid_token.message": "Es gilt hier nicht oder nicht mehr.",
    "invalid_key.title": "Der API-Schlüssel wurde nicht angenommen",
    "invalid_key.message": "Er gilt hier nicht oder nicht mehr.",
    "expired.title": "Ihre Anmeldung ist abgelaufen",
    "expired.message": "Bitte melden Sie sich noch einmal an, um fortzufahren.",
    "expired_token.title": "Das Zugriffstoken ist abgelaufen",
    "expired_token.message": "Es war bisher gültig. Jetzt wird ein neues gebraucht.",
    "expired_key.title": "Der API-Schlüssel ist abgelaufen",
    "expired_key.message": "Er war bisher gültig. Jetzt wird ein neuer gebraucht.",
    "revoked.title": "Ihre Anmeldung wurde beendet",
    "revoked.message": "Sie gilt nicht mehr. Bitte melden Sie sich noch einmal an, um fortzufahren.",
    "revoked_token.title": "Das Zugriffstoken wurde widerrufen",
    "revoked_token.message": "Es war bisher gültig. Jetzt wird ein neues gebraucht.",
    "revoked_key.title": "Der API-Schlüssel wurde widerrufen",
    "revoked_key.message": "Er war bisher gültig. Jetzt wird ein neuer gebraucht.",
    "stolen.title": "Ihre Anmeldung wurde zur Sicherheit beendet",
    "stolen.message": "Sie wurde an einem zweiten Ort verwendet, also hat sie vielleicht jemand kopiert. Bitte melden "
    "Sie sich noch einmal an. Wenn Sie nicht wissen, warum, ändern Sie Ihr Passwort.",
    "proof.title": "Der Nachweis wurde nicht angenommen",
    "proof.message": "Jede Anfrage mit diesem Zugriffstoken braucht einen neuen Nachweis. Er fehlte, war ungültig oder "
    "wurde schon verwendet.",
    "step_up.title": "Bitte melden Sie sich noch einmal an",
    "step_up.message": "Diese Seite verlangt eine neuere oder stärkere Anmeldung als Ihre.",
    "step_up_token.title": "Eine neuere oder stärkere Anmeldung ist nötig",
    "step_up_token.message": "Das Zugriffstoken stammt aus einer Anmeldung, die hierfür zu alt oder nicht stark genug "
    "ist.",
    "malformed.title": "Ihre Anmeldung war nicht lesbar",
    "malformed.message": "Was zur Anmeldung gesendet wurde, ist beschädigt, oder es wurde mehr als eine Anmeldung "
    "gesendet.",
    "forbidden.title": "Sie haben keinen Zugang",
    "forbidden.message": "Wir wissen, wer Sie sind, aber Ihr Konto ist hierfür nicht berechtigt.",
    "cross_site.title": "Das kam von einer anderen Website",
    "cross_site.message": "Eine Seite einer anderen Website hat dies in Ihrem Namen gesendet. Zum Schutz Ihres Kontos "
    "wurde es nicht ausgeführt.",
    "scope.title": "Eine Berechtigung fehlt",
    "scope.message": "Wir wissen, wer Sie sind, aber Ihrer Anmeldung fehlt die Berechtigung, die hier nötig ist.",
    "scope_token.title": "Eine Berechtigung fehlt",
    "scope_token.message": "Das Zugriffstoken ist gültig, enthält aber die Berechtigung nicht, die hier nötig ist.",
    "scope_key.title": "Eine Berechtigung fehlt",
    "scope_key.message": "Der API-Schlüssel ist gültig, enthält aber die Berechtigung nicht, die hier nötig ist.",
    "throttled.title": "Zu viele Versuche",
    "throttled.message": "Es gab in kurzer Zeit zu viele Versuche. Bitte warten Sie, bevor Sie es noch einmal "
    "versuchen.",
    "unavailable.title": "Bitte versuchen Sie es bald noch einmal",
    "unavailable.message": "Wir können im Augenblick nicht prüfen, wer Sie sind. Das liegt an uns, nicht an Ihnen.",
    "do": "Was Sie tun können",
    "do.login": "Anmelden",
    "do.login_first": "Melden Sie sich auf dieser Website an und laden Sie diese Seite dann neu.",
    "do.password": "Laden Sie diese Seite neu und geben Sie Name und Passwort ein, wenn Ihr Browser danach fragt.",
    "do.sign_on": "Diese Website hat einen Anmeldedienst. Laden Sie diese Seite neu, und melden Sie sich an, "
    "wenn er Sie darum bittet.",
    "do.other": "Verwenden Sie eine Anmeldung der Art „{scheme}“. Die Betreiber dieser Website können Ihnen sagen, wie "
    "Sie eine bekommen.",
    "do.send_again": "Was Sie gesendet haben, wurde nicht gespeichert. Melden Sie sich an, gehen Sie dann zurück und "
    "senden Sie es noch einmal.",
    "do.send_with_password": "Was Sie gesendet haben, wurde nicht gespeichert. Gehen Sie zurück, senden Sie es noch "
    "einmal und geben Sie Name und Passwort ein, wenn Ihr Browser danach fragt.",
    "do.send_later": "Was Sie gesendet haben, wurde nicht gespeichert. Gehen Sie zurück und senden Sie es später noch "
    "einmal.",
    "do.back": "Gehen Sie zurück zu der Seite, von der Sie kamen.",
    "do.token": "Wenn Sie ein Programm schreiben: Senden Sie ein Zugriffstoken im Feld Authorization.",
    "do.proof": "Wenn Sie ein Programm schreiben: Senden Sie das Zugriffstoken im Feld Authorization und bei jeder "
    "Anfrage einen neuen Nachweis im Feld DPoP.",
    "do.key": "Wenn Sie ein Programm schreiben: Senden Sie Ihren API-Schlüssel bei jeder Anfrage mit.",
    "do.new_token": "Holen Sie ein neues Zugriffstoken und senden Sie die Anfrage dann noch einmal.",
    "do.new_key": "Prüfen Sie den API-Schlüssel, oder bitten Sie die Betreiber dieser Website um einen neuen.",
    "do.check": "Wenn Sie ein Programm schreiben: Senden Sie ein einziges Zugriffstoken, einen Schlüssel oder ein "
    "Passwort, und prüfen Sie, ob es vollständig ist.",
    "do.ask": "Bitten Sie die Betreiber dieser Website um Zugang.",
    "do.other_account": "Wenn Sie ein anderes Konto haben, melden Sie sich mit diesem an.",
    "do.here": "Öffnen Sie diese Website selbst und tun Sie es dort.",
    "do.trust": "Wenn Sie diese Website betreiben und der anderen vertrauen, tragen Sie deren Origin in der App bei "
    "trusted_origins= ein.",
    "do.scope": "Bitten Sie die Betreiber dieser Website um diese Berechtigung: {scope}",
    "do.token_scope": "Holen Sie ein Zugriffstoken mit dieser Berechtigung: {scope}",
    "do.wait": "Versuchen Sie es später noch einmal.",
    "do.wait_moment": "Versuchen Sie es gleich noch einmal.",
    "do.wait_seconds": "Versuchen Sie es in {seconds} Sekunden noch einmal.",
    "do.wait_minutes": "Versuchen Sie es in {minutes} Minuten noch einmal.",
    "do.wait_hours": "Versuchen Sie es in {hours} Stunden noch einmal.",
    "again": "Diese Seite neu laden",
}

BUILT_IN_TRANSLATIONS: Final[dict[str, dict[str, str]]] = {"en": _ENGLISH, "de": _GERMAN}
TEXT_KEYS: Final = frozenset(_ENGLISH)
_PLACEHOLDERS: Final[dict[str, str]] = dict.fromkeys(("scheme", "scope", "seconds", "minutes", "hours"), "")
"""The placeholders that a text may have, with values to try a text."""


def copy_translations() -> dict[str, Texts]:
    """Return a copy of the built-in texts, which one `Auth` may change; the first language is the default."""
    return {language: dict(texts) for language, texts in BUILT_IN_TRANSLATIONS.items()}


def check_translations(translations: Mapping[str, Mapping[str, Text]]) -> None:
    """Check languages, keys and placeholders. Missing texts are allowed.

    Raises:
        ConfigurationError: If there is no language, or a language tag, a key or a text is wrong.
    """
    if not translations:
        raise ConfigurationError('auth.texts is empty: leave at least one language, such as auth.texts["en"]')
    for language, texts in translations.items():
        if not isinstance(language, str) or _LANGUAGE_TAG.fullmatch(language) is None:
            raise ConfigurationError(f"auth.texts[{language!r}]: write a language tag such as 'fr' (RFC 5646)")
        for key, text in texts.items():
            if key not in _ENGLISH:
                near = get_close_matches(key, _ENGLISH, n=1, cutoff=0.0)[0]
                raise ConfigurationError(f"auth.texts[{language!r}] has no text {key!r}: did you mean {near!r}?")
            if not is_text(text) or (isinstance(text, str) and _fill_placeholders(text, _PLACEHOLDERS) is None):
                raise ConfigurationError(
                    f"auth.texts[{language!r}][{key!r}] must be a str or a lazily translated text, with no braces but "
                    f"{{scheme}}, {{scope}}, {{seconds}}, {{minutes}} and {{hours}}, not {text!r}"
                )


def translate(
    translations: Mapping[str, Mapping[str, Text]], language: str, key: str, values: Mapping[str, str]
) -> str:
    """Return the text of a key in a language, with ``values`` in place of its placeholders.

    A lazy text is translated now. The English text stands in if the language lacks the text, if its translation fails,
    or if it has other placeholders.
    """
    text = as_text(translations.get(language, {}).get(key))
    return (text and _fill_placeholders(text, values)) or _ENGLISH[key].format_map(values)


def _fill_placeholders(text: str, values: Mapping[str, str]) -> str | None:
    try:
        return text.format_map(values)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        return None
