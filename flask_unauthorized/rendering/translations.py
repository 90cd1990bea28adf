"""The words of the refusal page, by language. An app replaces them in ``auth.texts``."""

import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Final

from ..errors import ConfigurationError, Text, as_text, is_text

Texts = dict[str, Text]
_TAG: Final = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})*")

_ENGLISH: Final[dict[str, str]] = {
    "missing.title": "Please log in",
    "missing.message": "This page is not open to everybody, and nothing was sent that says who you are.",
    "invalid.title": "That was not accepted",
    "invalid.message": "Something was sent to say who you are, but it is not valid here.",
    "expired.title": "Your login has expired",
    "expired.message": "What you sent was good once, and its time is over.",
    "revoked.title": "Your login was withdrawn",
    "revoked.message": "What you sent was good once, and has been revoked.",
    "proof.title": "The proof did not count",
    "proof.message": "What you sent needs a proof of its own with each request. It was missing, wrong or used before.",
    "step_up.title": "Please log in once more",
    "step_up.message": "This page asks for a more recent or a stronger login than yours.",
    "malformed.title": "That could not be read",
    "malformed.message": "What was sent to say who you are is damaged, or there are two of them.",
    "forbidden.title": "You may not do this",
    "forbidden.message": "You are known here, but this is not open to you.",
    "cross_site.title": "This came from another site",
    "cross_site.message": "The page that sent this belongs to another site, so it was not done.",
    "scope.title": "A permission is missing",
    "scope.message": "You are known here, but what you sent does not carry the permission that is needed.",
    "throttled.title": "Too many attempts",
    "throttled.message": "There have been too many attempts in a short time.",
    "unavailable.title": "Please try again soon",
    "unavailable.message": "It cannot be checked at the moment who you are. This is our fault, not yours.",
    "do": "What you can do",
    "do.login": "Log in.",
    "do.send_again": "What you sent was not kept. Go back when you are logged in, and send it again.",
    "do.password": "Load this page again: your browser then asks for your name and password.",
    "do.token": "A program sends an access token in the Authorization header.",
    "do.proof": "A program sends its access token in the Authorization field, and a new proof in the DPoP field.",
    "do.key": "A program sends its API key.",
    "do.other": "Send credentials of the kind “{scheme}”.",
    "do.renew": "Get a new login or token, and try again.",
    "do.check": "Check that what you send is complete, and that it is sent once.",
    "do.ask": "Ask the people who run this site for access, or come back with another account.",
    "do.here": "Open this site itself, and do it there.",
    "do.trust": "If you run this site and trust the other one, add its origin to trusted_origins= in the app.",
    "do.scope": "Ask for a login or token with this permission: {scope}",
    "do.wait": "Try again later.",
    "do.wait_seconds": "Try again in {seconds} seconds.",
    "again": "Load this page again",
    "note": "About this answer",
    "note.400": "400 means that the request could not be understood. Nobody has judged who you are.",
    "note.401": "401 means: we don't know who you are. 403 would be: we know you, and the answer is no.",
    "note.403": "403 means: we know you, and the answer is no. Logging in again alone won't help; that would be 401.",
    "note.429": "429 means: not now. It says nothing of whether you are allowed.",
    "note.503": "503 means: we can't tell at the moment. Nobody has refused you.",
}

_GERMAN: Final[dict[str, str]] = {
    "missing.title": "Bitte melden Sie sich an",
    "missing.message": "Diese Seite ist nicht für alle offen, und es kam nichts an, das sagt, wer Sie sind.",
    "invalid.title": "Das wurde nicht angenommen",
    "invalid.message": "Es kam etwas, das sagt, wer Sie sind, aber es gilt hier nicht.",
    "expired.title": "Ihre Anmeldung ist abgelaufen",
    "expired.message": "Was Sie gesendet haben, war einmal gültig, aber seine Zeit ist um.",
    "revoked.title": "Ihre Anmeldung wurde zurückgezogen",
    "revoked.message": "Was Sie gesendet haben, war einmal gültig und wurde widerrufen.",
    "proof.title": "Der Nachweis hat nicht gezählt",
    "proof.message": "Was Sie gesendet haben, braucht bei jeder Anfrage einen eigenen Nachweis. Er fehlte, war falsch "
    "oder schon gebraucht.",
    "step_up.title": "Bitte melden Sie sich noch einmal an",
    "step_up.message": "Diese Seite verlangt eine neuere oder stärkere Anmeldung als Ihre.",
    "malformed.title": "Das war nicht lesbar",
    "malformed.message": "Was gesendet wurde, um zu sagen, wer Sie sind, ist beschädigt oder doppelt.",
    "forbidden.title": "Das dürfen Sie nicht",
    "forbidden.message": "Sie sind hier bekannt, aber dies steht Ihnen nicht offen.",
    "cross_site.title": "Das kam von einer anderen Website",
    "cross_site.message": "Die Seite, die das gesendet hat, gehört zu einer anderen Website, darum geschah es nicht.",
    "scope.title": "Eine Berechtigung fehlt",
    "scope.message": "Sie sind hier bekannt, aber was Sie gesendet haben, enthält die nötige Berechtigung nicht.",
    "throttled.title": "Zu viele Versuche",
    "throttled.message": "Es gab in kurzer Zeit zu viele Versuche.",
    "unavailable.title": "Bitte versuchen Sie es bald noch einmal",
    "unavailable.message": "Im Augenblick lässt sich nicht prüfen, wer Sie sind. Das liegt an uns, nicht an Ihnen.",
    "do": "Was Sie tun können",
    "do.login": "Melden Sie sich an.",
    "do.send_again": "Was Sie gesendet haben, wurde nicht behalten. Gehen Sie nach der Anmeldung zurück und senden Sie "
    "es noch einmal.",
    "do.password": "Laden Sie diese Seite neu: Ihr Browser fragt dann nach Name und Passwort.",
    "do.token": "Ein Programm sendet ein Zugriffstoken im Feld Authorization.",
    "do.proof": "Ein Programm sendet sein Zugriffstoken im Feld Authorization und einen neuen Nachweis im Feld DPoP.",
    "do.key": "Ein Programm sendet seinen API-Schlüssel.",
    "do.other": "Senden Sie Zugangsdaten der Art „{scheme}“.",
    "do.renew": "Holen Sie sich eine neue Anmeldung oder ein neues Token und versuchen Sie es noch einmal.",
    "do.check": "Prüfen Sie, ob das Gesendete vollständig ist und nur einmal gesendet wird.",
    "do.ask": "Bitten Sie die Betreiber um Zugang, oder kommen Sie mit einem anderen Konto wieder.",
    "do.here": "Öffnen Sie diese Website selbst und tun Sie es dort.",
    "do.trust": "Wenn Sie diese Website betreiben und der anderen vertrauen, tragen Sie deren Origin in der App bei "
    "trusted_origins= ein.",
    "do.scope": "Bitten Sie um eine Anmeldung oder ein Token mit dieser Berechtigung: {scope}",
    "do.wait": "Versuchen Sie es später noch einmal.",
    "do.wait_seconds": "Versuchen Sie es in {seconds} Sekunden noch einmal.",
    "again": "Diese Seite neu laden",
    "note": "Über diese Antwort",
    "note.400": "400 heißt: Die Anfrage war nicht zu verstehen. Niemand hat geprüft, wer Sie sind.",
    "note.401": "401 heißt: Wir wissen nicht, wer Sie sind. 403 wäre: Wir kennen Sie, und die Antwort ist nein.",
    "note.403": "403 heißt: Wir kennen Sie, und die Antwort ist nein. Sich neu anzumelden hilft allein nicht.",
    "note.429": "429 heißt: jetzt nicht. Es sagt nichts darüber, ob Sie dürfen.",
    "note.503": "503 heißt: Wir können es im Augenblick nicht sagen. Niemand hat Sie abgewiesen.",
}

BUILT_IN_TEXTS: Final[dict[str, dict[str, str]]] = {"en": _ENGLISH, "de": _GERMAN}


def built_in_texts() -> dict[str, Texts]:
    """A copy of the table, for one `Auth`; the first language is the default."""
    return {language: dict(texts) for language, texts in BUILT_IN_TEXTS.items()}


def check_texts(texts: Mapping[str, Mapping[str, Text]]) -> None:
    """Refuses unknown keys and what cannot be filled in: `ConfigurationError`. A missing text is taken from English."""
    if not texts:
        raise ConfigurationError('auth.texts is empty: leave at least one language, such as auth.texts["en"]')
    for language, table in texts.items():
        if not isinstance(language, str) or _TAG.fullmatch(language) is None:
            raise ConfigurationError(f"auth.texts[{language!r}]: write a language tag such as 'fr' (RFC 5646)")
        for key, text in table.items():
            if key not in _ENGLISH:
                near = get_close_matches(key, _ENGLISH, n=1, cutoff=0.0)[0]
                raise ConfigurationError(f"auth.texts[{language!r}] has no text {key!r}: did you mean {near!r}?")
            if not is_text(text) or (isinstance(text, str) and _filled(text, _SAMPLE) is None):
                raise ConfigurationError(
                    f"auth.texts[{language!r}][{key!r}] must be a str or a lazily translated text, with no braces but "
                    f"{{scheme}}, {{scope}} and {{seconds}}, not {text!r}"
                )


_SAMPLE: Final = {"scheme": "", "scope": "", "seconds": ""}


def text_of(
    texts: Mapping[str, Mapping[str, Text]], language: str, key: str, values: Mapping[str, str] = _SAMPLE
) -> str:
    """A text in a language, else in English, with ``values`` in the place of its braces.

    A lazy text is translated now. If its translation fails or has other braces, the English text stands for it.
    """
    text = as_text(texts.get(language, {}).get(key))
    return (text and _filled(text, values)) or _ENGLISH[key].format_map(values)


def _filled(text: str, values: Mapping[str, str]) -> str | None:
    try:
        return text.format_map(values)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        return None
