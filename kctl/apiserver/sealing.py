"""How a value is sealed, and opened again.

In: a value, its place in the store, the keys of a file. Out: bytes that begin with a prefix which
names the cipher and the key, as those of kube-apiserver's providers do: the first key writes, any
key reads, and what has no prefix is read as it is. Which values are sealed stands in ``encryption``.

Upstream's ``secretbox`` (XSalsa20-Poly1305) is not in ``cryptography``, and does not bind a value
to its place. This is the construction of upstream's KMS v2 envelopes: AES-256-GCM with the path in
the store as associated data, so that a value that is moved to another Secret is refused, and for
every value a key of its own by HKDF-Expand, so that no number of writes wears the key out.
"""

from __future__ import annotations

import hmac
import os
from pathlib import Path
from typing import TYPE_CHECKING

from kctl.api.errors import KctlError
from kctl.apiserver import keys as keyfile
from kctl.apiserver.encryption import PREFIX

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

INFO, NONCE = 32, 12


class EncryptionError(KctlError):
    """A value cannot be decrypted."""


def key_name(value: bytes) -> str:
    """Return the name of the key that a stored value is sealed with, "" when it is in clear."""
    if not value.startswith(PREFIX):
        return ""
    return value[len(PREFIX) :].partition(b":")[0].decode("ascii", "replace")


class Sealer:
    """Seals and opens values with the keys of a file, which is read when first needed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._keys: keyfile.Keys | None = None
        self._signature = (0, 0, 0)

    @property
    def keys(self) -> keyfile.Keys:
        """Return the keys; KeysError when the file is damaged."""
        if self._keys is None:
            self._signature = keyfile.signature(self.path)
            self._keys = keyfile.load(self.path)
        return self._keys

    def reload(self) -> None:
        """Read the file again when it is next needed."""
        self._keys = None

    def check(self) -> None:
        """Take in what other processes made of the file.

        Asked before every write: a key that was dropped must not write again. It is dropped only after
        entries that a writer with the old keys would have to know of, so its commit fails.
        """
        if self._signature != keyfile.signature(self.path):
            self.reload()

    def create(self) -> None:
        """Make the file with a first key."""
        self._keys = keyfile.create(self.path)

    def seal(self, place: str, value: bytes) -> bytes:
        """Return the value as the first key writes it."""
        first = self.keys[0]
        if first.is_identity:
            return value
        info, nonce = os.urandom(INFO), os.urandom(NONCE)
        sealed = _cipher()(_derived(first.secret, info)).encrypt(nonce, value, place.encode())
        return b"".join((PREFIX, first.name.encode("ascii"), b":", info, nonce, sealed))

    def open(self, place: str, value: bytes) -> bytes:
        """Return what was sealed; EncryptionError names the key and the file."""
        if not value.startswith(PREFIX):
            return value
        name = key_name(value)
        key = self._key(name)
        if key is None:
            raise self._missing(place, name)
        cipher = _cipher()
        from cryptography.exceptions import InvalidTag

        body = value[len(PREFIX) + len(name) + 1 :]
        info, nonce, sealed = body[:INFO], body[INFO : INFO + NONCE], body[INFO + NONCE :]
        try:
            return cipher(_derived(key.secret, info)).decrypt(nonce, sealed, place.encode())
        except (InvalidTag, ValueError):
            raise EncryptionError(
                f"{described(place)} cannot be decrypted with key {name} of {self.path}: "
                "it was changed, or moved here from elsewhere, after it was encrypted",
                hint="nothing was guessed; see kctl store verify --full",
            ) from None

    def _key(self, name: str) -> keyfile.EncryptionKey | None:
        """Return a key by name; one that another process added since the file was read is found too."""
        found = next((key for key in self.keys if key.name == name), None)
        if found is None:
            self.reload()
            found = next((key for key in self.keys if key.name == name), None)
        return found

    def _missing(self, place: str, name: str) -> EncryptionError:
        said = f"{described(place)} is encrypted with key {name}, "
        held = ", ".join(key.name for key in self.keys)
        said += f"which is not in {self.path} (it has {held})" if held else f"and there is no key in {self.path}"
        return EncryptionError(said, hint="put the file that holds this key back, or name it with KCTL_KEY_FILE")


def described(place: str) -> str:
    """Return ``secrets default/db`` for a path in the store."""
    _, resource, namespace, name = place.split("/", 3)
    return f"{resource} {namespace}/{name}" if namespace else f"{resource} {name}"


def _derived(secret: bytes, info: bytes) -> bytes:
    """Return the key of one value: HKDF-Expand with SHA-256 (RFC 5869), one block."""
    return hmac.digest(secret, info + b"\x01", "sha256")


def _cipher() -> type[AESGCM]:
    """Return the cipher, imported when it is first needed."""
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except ImportError as error:
        raise EncryptionError(
            f"Secrets cannot be encrypted or decrypted: {error}", hint="pip install cryptography"
        ) from None
    return AESGCM
