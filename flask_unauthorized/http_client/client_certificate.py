"""`ClientCertificate`: the certificate with which this app logs in to a server by mutual TLS (RFC 8705 §2).

Theory of operation
-------------------

Certificates are renewed while an app runs, often each few weeks by a program that replaces the files. So the files are
looked at before each exchange, which costs a ``stat`` for each, and read again after a change:

1. At set-up, both files are read once, so that a mistake is a `ConfigurationError` and no outage.
2. `ClientCertificate.context` returns the same context for as long as the files stay the same. The caller keeps no
   connection that another context made, so a renewed certificate is in use from the next exchange on.
3. If the changed files can't be used, the last certificate stays in use, and the log warns once for each change. That
   happens for a moment in each renewal that replaces the two files one after the other.

Invariants:

- The private key and its password are never in a ``repr``, in an error or in the log.
- OpenSSL never asks for a password on the terminal, where the app would wait for ever.
- No lock is taken. If two threads see a change, both read the files, and either result is right.
"""

import errno
import os
import ssl
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from ..errors import ConfigurationError
from ..logs import log

Path = str | os.PathLike[str]
CertificateFiles = tuple[Path, Path] | tuple[Path, Path, str]
"""The files of a certificate chain and of its private key, both in PEM, and the password of the key if it has one."""

_FORM: Final = (
    'write certificate=("/etc/app/tls.crt", "/etc/app/tls.key"), both in PEM, and the password of an encrypted key as '
    "the third item"
)


class _PasswordNeededError(Exception):
    """The key is encrypted, and no password was given."""


class _Loaded(NamedTuple):
    state: tuple[object, ...]
    """What the files looked like before they were read."""
    context: ssl.SSLContext


class ClientCertificate:
    """A certificate chain and its private key, in two files that may be replaced at any time.

    Args:
        files: The file of the chain, the file of the key, and the password of an encrypted key.
        ca_file: A file with the certificate authorities to accept for servers, ``None`` for the system's.

    Raises:
        ConfigurationError: The files can't be read, or don't hold a certificate and its key.
        TypeError: ``files`` is anything but a tuple of these.
    """

    def __init__(self, files: CertificateFiles, ca_file: Path | None) -> None:
        self._chain, self._key, self._password = _read_arguments(files)
        self._ca_file = ca_file
        self._loaded: _Loaded | None = None  # at the first exchange, because reading the system's authorities is slow
        self._failed_state: tuple[object, ...] | None = None
        for path in (self._chain, self._key):
            if not os.path.isfile(path):
                raise ConfigurationError(f"certificate= names {path!a}, which is not a file: {_FORM}")
        try:
            self._load_into(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
        except (OSError, ValueError, _PasswordNeededError) as error:
            raise ConfigurationError(f"certificate={self._shown()} can't be used: {_problem(error)}") from None

    def context(self) -> ssl.SSLContext:
        """Return a TLS context with the certificate that is in the files now, or the last one that could be used.

        Raises:
            OSError: No certificate could be used since set-up.
        """
        state = (_state_of(self._chain), _state_of(self._key))
        loaded = self._loaded
        if loaded is not None and state in (loaded.state, self._failed_state):
            return loaded.context
        try:
            context = ssl.create_default_context(cafile=self._ca_file)
            self._load_into(context)
        except (OSError, ValueError, _PasswordNeededError) as error:
            if loaded is None:
                raise OSError(f"certificate={self._shown()} can't be used") from None
            self._failed_state = state
            log.warning(
                "certificate=%s has changed and can't be used: %s. The last certificate stays in use",
                self._shown(),
                _problem(error),
            )
            return loaded.context
        self._loaded = _Loaded(state, context)
        return context

    def _load_into(self, context: ssl.SSLContext) -> None:
        for path in (self._chain, self._key):
            if os.path.exists(path) and not os.path.isfile(path):  # OpenSSL would wait for a writer of a named pipe.
                raise OSError(errno.EINVAL, "not a regular file")
        context.load_cert_chain(self._chain, self._key, self._give_password)

    def _give_password(self) -> str:
        if self._password is None:
            raise _PasswordNeededError
        return self._password

    def _shown(self) -> str:
        return f"({self._chain!a}, {self._key!a})"

    def __repr__(self) -> str:
        return f"<ClientCertificate {self._shown()}>"


def _read_arguments(files: Any) -> tuple[str, str, str | None]:
    # No value is shown: text in place of a path may be the key, and the third item is a password.
    if isinstance(files, (str, bytes)) or not isinstance(files, Sequence) or len(files) not in (2, 3):
        raise TypeError(f"certificate must be a tuple of two files, not {type(files).__name__}: {_FORM}")
    if not all(isinstance(path, (str, os.PathLike)) for path in files[:2]) or not isinstance(
        files[-1], (str, os.PathLike)
    ):
        raise TypeError(f"certificate must hold paths of files: {_FORM}")
    chain, key = (os.fspath(path) for path in files[:2])
    if "-----BEGIN" in chain + key:
        raise ConfigurationError(f"certificate= holds the text of a certificate or key, and takes files: {_FORM}")
    if len(files) == 2:
        return chain, key, None
    if not isinstance(files[2], str):
        raise TypeError(f"the password in certificate= must be a str: {_FORM}")
    return chain, key, files[2]


def _state_of(path: str) -> tuple[int, ...] | None:
    """Return what changes when a file does, ``None`` if there is no file."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino, found.st_dev


def _problem(error: Exception) -> str:
    """Return what is wrong and the fix. OpenSSL's own names of errors are its constants, never part of a file."""
    if isinstance(error, _PasswordNeededError):
        return "the key is encrypted. Give its password as the third item"
    if isinstance(error, ssl.SSLError):
        if error.reason == "KEY_VALUES_MISMATCH":
            return "the key is not that of the first certificate in the file. Put the certificate of this app first"
        named = f" ({error.reason})" if error.reason else ""
        return (
            f"OpenSSL can't read them{named}. Both must be in PEM, an RSA key must have at least 2048 bits, and the "
            "third item must be the password if the key is encrypted"
        )
    if isinstance(error, OSError):
        return f"a file can't be read ({error.strerror}). Let the app's user read both"
    return "the password is too long, or has half of a surrogate pair"
