"""``kctl create secret tls`` and ``docker-registry``: Secrets of a known form, as kubectl."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path

import click

from kctl.api.errors import KctlError
from kctl.cli import data_sources, generators, options, writing
from kctl.cli.create import APPEND_HASH, NAME, generated, listed
from kctl.cli.session import Settings

HUB = "https://index.docker.io/v1/"
PEM = re.compile(rb"^-----BEGIN ([A-Z0-9 ]+)-----", re.MULTILINE)


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise KctlError(f"Cannot read file {path}, open {path}: {why}") from None


def check_pair(certificate: bytes, key: bytes) -> None:
    """Refuse what is no certificate, no key, or the key of another certificate, as tls.X509KeyPair."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
    from cryptography.x509 import load_pem_x509_certificate

    _check_form(_types(certificate), "certificate")
    _check_form(_types(key), "key")
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    try:
        public = load_pem_x509_certificate(certificate).public_key().public_bytes(*form)
    except ValueError:
        raise KctlError("x509: malformed certificate") from None
    try:
        own = load_pem_private_key(key, None).public_key().public_bytes(*form)
    except (ValueError, TypeError):
        raise KctlError("tls: failed to parse private key") from None
    if own != public:
        raise KctlError("tls: private key does not match public key")


def _types(text: bytes) -> list[str]:
    """Return the types of the PEM blocks in a text."""
    return [found.decode() for found in PEM.findall(text)]


def _check_form(types: list[str], what: str) -> None:
    """Refuse an input without the block that is looked for in it."""
    is_key = what == "key"
    if any(found.endswith("PRIVATE KEY") if is_key else found == "CERTIFICATE" for found in types):
        return
    if not types:
        why = f"failed to find any PEM data in {what} input"
    elif is_key and types == ["CERTIFICATE"]:
        why = "found a certificate rather than a key in the PEM for the private key"
    elif len(types) == 1 and types[0].endswith("PRIVATE KEY"):
        why = (
            "failed to find certificate PEM data in certificate input, but did find a private key; "
            "PEM inputs may have been switched"
        )
    else:
        sought = 'PEM block with type ending in "PRIVATE KEY"' if is_key else '"CERTIFICATE" PEM block'
        listed_types = " ".join(types)
        why = f"failed to find {sought} in {what} input after skipping PEM blocks of the following types: [{listed_types}]"
    raise KctlError(f"tls: {why}")


def docker_config(user: str, password: str, email: str, server: str) -> bytes:
    """Return a ``~/.docker/config.json`` for one registry (handleDockerCfgJSONContent)."""
    entry = {"username": user, "password": password, "email": email}
    entry = {key: value for key, value in entry.items() if value}
    entry["auth"] = base64.b64encode(f"{user}:{password}".encode()).decode()
    return json.dumps({"auths": {server: entry}}, separators=(",", ":"), ensure_ascii=False).encode()


@click.command("tls")
@NAME
@click.option("--cert", default="", metavar="PATH", help="The certificate, in PEM.")
@click.option("--key", default="", metavar="PATH", help="Its private key.")
@APPEND_HASH
@options.namespace
@writing.options("kctl-create")
@click.pass_obj
def tls_command(
    settings: Settings, name: str, cert: str, key: str, append_hash: bool, namespace: str | None, how: writing.How
) -> int:
    """Create a Secret of a certificate and its key."""
    if not key or not cert:
        raise KctlError("key and cert must be specified")
    pair = _read(cert), _read(key)
    check_pair(*pair)
    data = {"tls.crt": pair[0], "tls.key": pair[1]}
    obj = generators.secret(name, namespace, data, type_="kubernetes.io/tls", append_hash=append_hash)
    return generated(settings, obj, "secrets", "secret", how)


@click.command("docker-registry")
@NAME
@click.option("--docker-username", "user", default="", metavar="NAME", help="Who logs in.")
@click.option("--docker-password", "password", default="", metavar="TEXT", help="With which password.")
@click.option("--docker-email", "email", default="", metavar="MAIL", help="The mail address of the user.")
@click.option("--docker-server", "server", default=HUB, show_default=True, metavar="URL", help="Where.")
@click.option("--from-file", "files", multiple=True, metavar="[KEY=]PATH", help="A docker configuration.")
@APPEND_HASH
@options.namespace
@writing.options("kctl-create")
@click.pass_obj
def docker_command(
    settings: Settings,
    name: str,
    user: str,
    password: str,
    email: str,
    server: str,
    files: tuple[str, ...],
    append_hash: bool,
    namespace: str | None,
    how: writing.How,
) -> int:
    """Create a Secret to pull images with."""
    sources = listed(files)
    if not sources and not (user and password and server):
        raise KctlError(
            "either --from-file or the combination of --docker-username, --docker-password and --docker-server is "
            "required"
        )
    if sources:
        data = data_sources.load(data_sources.Sources((), sources, ()), "Secret", name)
    else:
        data = {".dockerconfigjson": docker_config(user, password, email, server)}
    obj = generators.secret(name, namespace, data, type_="kubernetes.io/dockerconfigjson", append_hash=append_hash)
    return generated(settings, obj, "secrets", "secret", how)
