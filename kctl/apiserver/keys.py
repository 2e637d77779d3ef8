"""The keys that Secrets are encrypted with, and the file that holds them.

In: a path. Out: the keys, the one that writes first. The file is JSON, readable by its owner
alone, and is made with a first key when the first Secret is written::

    {"apiVersion": "kctl.dev/v1", "kind": "EncryptionKeys", "keys": [{"name": "3f9a12bc", "secret": "..."}]}

A key's name is derived from the key, so that a damaged or exchanged one never goes by another's
name. ``{"name": "identity"}`` in the first place turns encryption off, as upstream's provider of
that name; what is not encrypted can be read whatever the keys are.
"""

from __future__ import annotations

import base64
import binascii
import fcntl
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from kctl.api.errors import KctlError

IDENTITY = "identity"
BYTES = 32
OPEN_TO_OTHERS = 0o077


class KeysError(KctlError):
    """The file of keys cannot be used."""


class EncryptionKey(NamedTuple):
    """One key; ``identity`` has an empty secret and encrypts nothing."""

    name: str
    secret: bytes

    @property
    def is_identity(self) -> bool:
        """Say whether this is the one that leaves values as they are."""
        return self.name == IDENTITY


Keys = tuple[EncryptionKey, ...]


def name_of(secret: bytes) -> str:
    """Return the name of a key: the begin of a hash of it."""
    return sha256(b"kctl encryption key " + secret).hexdigest()[:8]


def fresh() -> EncryptionKey:
    """Return a new random key."""
    secret = os.urandom(BYTES)
    return EncryptionKey(name_of(secret), secret)


def load(path: Path) -> Keys:
    """Return the keys of a file, none when there is no file; KeysError when it is damaged."""
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise KeysError(f"{path}: cannot read the encryption keys: {error.strerror}") from None
    try:
        listed = json.loads(text)["keys"]
        return tuple(_read(entry) for entry in listed)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise KeysError(
            f"{path}: this is not a file of encryption keys, or it is damaged", hint="put the file back from a copy"
        ) from None


def _read(entry: Mapping[str, Any]) -> EncryptionKey:
    name = entry["name"]
    if name == IDENTITY:
        return EncryptionKey(IDENTITY, b"")
    try:
        secret = base64.b64decode(entry["secret"], validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error
    if len(secret) != BYTES or name_of(secret) != name:
        raise ValueError("not the key of this name")
    return EncryptionKey(name, secret)


def create(path: Path) -> Keys:
    """Make the file with a first key; of two processes that do so at once both get the first one's."""
    return change(path, lambda keys: keys or (fresh(),))


def change(path: Path, edit: Callable[[Keys], Keys]) -> Keys:
    """Replace the keys of a file by what ``edit`` makes of them, one process after the other; return them.

    The file is written whole or not at all; a symbolic link keeps pointing where it does.
    """
    path = path.resolve()
    with _locked(path):
        old = load(path)
        new = edit(old)
        if new != old or not path.exists():
            _written(path, new).replace(path)
            _sync(path.parent)
        return new


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Keep other processes from changing the keys; the kernel lets go of the lock when its holder dies."""
    try:
        descriptor = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _not_written(path, error) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def signature(path: Path) -> tuple[int, int, int]:
    """Return what changes whenever the file is written anew."""
    try:
        found = path.stat()
    except OSError:
        return 0, 0, 0
    return found.st_ino, found.st_mtime_ns, found.st_size


def is_private(path: Path) -> bool:
    """Say whether nobody but the owner can read the file."""
    try:
        return not path.stat().st_mode & OPEN_TO_OTHERS
    except OSError:
        return True


def _written(path: Path, keys: Keys) -> Path:
    """Write the keys, durably, beside ``path`` and return where."""
    listed = [
        {"name": key.name}
        if key.is_identity
        else {"name": key.name, "secret": base64.b64encode(key.secret).decode("ascii")}
        for key in keys
    ]
    document = {"apiVersion": "kctl.dev/v1", "kind": "EncryptionKeys", "keys": listed}
    partial = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        partial.unlink(missing_ok=True)
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(json.dumps(document, indent=1) + "\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise _not_written(path, error) from None
    return partial


def _not_written(path: Path, error: OSError) -> KeysError:
    return KeysError(f"{path}: cannot write the encryption keys: {error.strerror}")


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
