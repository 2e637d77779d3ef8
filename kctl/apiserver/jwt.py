"""Signed tokens (JWS, RFC 7515) with ES256, and the key that signs them.

In: claims as a dict, or a token as text. Out: a token, or the claims of one whose signature is
good. What the claims must say is not here but in :mod:`kctl.apiserver.tokens`. The one module
that uses ``cryptography``'s signatures; it is imported when the first token is made or seen.

ES256, one of the algorithms kube-apiserver signs with, because its key is made in no time and
its signatures need no randomness (RFC 6979): the same claims give the same token.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
from pathlib import Path
from typing import Any, NamedTuple

from kctl.api.errors import KctlError
from kctl.api.objects import Obj

FILE = "service-account.key"
"""Where in the state folder the private key is kept, readable by its owner alone."""
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""The order of the curve P-256: private keys are below it."""
HALF = 32
"""The bytes of each half of an ES256 signature (RFC 7518, 3.4)."""


class BadSignature(Exception):
    """The text is no token, or not one that this key signed."""


class SigningKey(NamedTuple):
    """A private key (of ``cryptography``) and the name tokens call it by."""

    private: Any
    kid: str

    def sign(self, claims: Obj) -> str:
        """Return the token that says ``claims``."""
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec, utils

        text = f"{_encoded_json({'alg': 'ES256', 'kid': self.kid})}.{_encoded_json(claims)}"
        algorithm = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
        r, s = utils.decode_dss_signature(self.private.sign(text.encode(), algorithm))
        return f"{text}.{encoded(r.to_bytes(HALF, 'big') + s.to_bytes(HALF, 'big'))}"

    def verified(self, token: str) -> Obj:
        """Return the claims of a token that this key signed; BadSignature for any other text."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec, utils

        head, body, signature = _parts(token)
        if _object(head).get("alg") != "ES256" or len(signature) != 2 * HALF:
            raise BadSignature("the token is not signed with ES256")
        numbers = (int.from_bytes(half, "big") for half in (signature[:HALF], signature[HALF:]))
        try:
            self.private.public_key().verify(
                utils.encode_dss_signature(*numbers), token.rpartition(".")[0].encode(), ec.ECDSA(hashes.SHA256())
            )
        except InvalidSignature:
            raise BadSignature("the signature is not of this cluster") from None
        return _object(body)

    def public(self) -> Obj:
        """Return the public key as an entry of a JSON Web Key Set (RFC 7517)."""
        numbers = self.private.public_key().public_numbers()
        x, y = (encoded(number.to_bytes(HALF, "big")) for number in (numbers.x, numbers.y))
        return {"use": "sig", "kty": "EC", "kid": self.kid, "crv": "P-256", "alg": "ES256", "x": x, "y": y}


def key_of(folder: Path | None, seed: int) -> SigningKey:
    """Return the cluster's key: kept in its state folder, or derived from the seed when it has none.

    A cluster in memory lives no longer than its process, so that nobody gains from knowing its
    key; one in a folder may be served, and its key is random.
    """
    from cryptography.hazmat.primitives.asymmetric import ec

    if folder is not None:
        return _named(_kept(folder / FILE))
    digest = hashlib.sha512(f"kctl service account key {seed}".encode()).digest()
    return _named(ec.derive_private_key(int.from_bytes(digest, "big") % (ORDER - 1) + 1, ec.SECP256R1()))


def _named(private: Any) -> SigningKey:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    der = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return SigningKey(private, encoded(hashlib.sha256(der).digest()))  # as keyIDFromPublicKey


def _kept(path: Path) -> Any:
    """Return the key in a file; make it when it is not there. Of two processes the first wins."""
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        if not path.exists():
            _make(path)
        return load_pem_private_key(path.read_bytes(), None)
    except OSError as error:
        raise KctlError(f"{path}: {(error.strerror or str(error)).lower()}") from None
    except ValueError:
        raise KctlError(
            f"{path}: this is no private key", hint="remove it: a new key is made, and no token so far is good any more"
        ) from None


def _make(path: Path) -> None:
    """Write a new key to a file of its own and link it into place, so that no reader sees half of one."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            return
    finally:
        draft.unlink()


def encoded(raw: bytes) -> str:
    """Return bytes in base64url without padding (RFC 7515, 2)."""
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def unverified(token: str) -> Obj:
    """Return what a token claims, whoever signed it; BadSignature when it is no token."""
    return _object(_parts(token)[1])


def _encoded_json(value: Obj) -> str:
    return encoded(json.dumps(value, separators=(",", ":"), sort_keys=True).encode())


def _parts(token: str) -> tuple[bytes, bytes, bytes]:
    try:
        head, body, signature = (
            base64.b64decode(part + "=" * (-len(part) % 4), b"-_", validate=True) for part in token.split(".")
        )
    except (ValueError, binascii.Error):
        raise BadSignature("this is no token") from None
    return head, body, signature


def _object(raw: bytes) -> Obj:
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        raise BadSignature("this is no token") from None
    if not isinstance(value, dict):
        raise BadSignature("this is no token")
    return value
