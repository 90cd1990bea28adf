"""Reading ``Authorization`` (RFC 9110 §11.6.2)."""

from dataclasses import dataclass, field

from .grammar import MAX_AUTHORIZATION, GrammarError, read_elements


@dataclass(frozen=True, slots=True)
class Credentials:
    """What an ``Authorization`` field holds: a scheme, then a token68 or parameters (RFC 9110 §11.4).

    ``params`` is in the order of the field; use `get` to look one up. The ``repr`` shows the scheme only.
    """

    scheme: str
    params: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    token68: str | None = field(default=None, repr=False)

    def get(self, name: str) -> str | None:
        """The value of a parameter (its name compares without case, RFC 9110 §11.2), or ``None``."""
        wanted = name.lower()
        return next((value for key, value in self.params if key.lower() == wanted), None)


def parse_authorization(value: str, *, max_size: int = MAX_AUTHORIZATION) -> Credentials | None:
    """The credentials in an ``Authorization`` field value, or ``None`` where it is empty.

    ``max_size`` is in bytes (16 KiB). Raises `GrammarError` where the value is malformed, longer than that, has more
    than 32 parameters, a parameter twice, or more than one set of credentials (RFC 9110 §5.3: the field is not a list).
    """
    elements = read_elements(value, max_size)
    if not elements:
        if "," in value:
            raise GrammarError("commas without credentials")
        return None
    if len(elements) > 1:
        raise GrammarError("more than one set of credentials in one field (RFC 9110 §5.3)")
    (element,) = elements
    stripped = value.strip(" \t")
    # The list reader is kinder than one set of credentials allows: a comma may not stand first, nor after a token68.
    if stripped.startswith(",") or (not element.params and stripped.endswith(",")):
        raise GrammarError("a comma that separates nothing")
    return Credentials(element.scheme, element.params, element.token68)
