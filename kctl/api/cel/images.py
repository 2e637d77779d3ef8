"""Kubernetes' library of references to images: which registry, repository, tag and digest they name."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from kctl.api.cel.errors import EvaluationError
from kctl.api.cel.values import Opaque, no_overload

DECLARATIONS = """
image: (string) kubernetes.Image
isImage: (string) bool
containsDigest: kubernetes.Image.() bool
registry: kubernetes.Image.() string
repository: kubernetes.Image.() string
identifier: kubernetes.Image.() string
tag: kubernetes.Image.() string
digest: kubernetes.Image.() string
"""
REGISTRY = "index.docker.io"
REPOSITORY = re.compile(r"(?=.{2,255}\Z)[a-z0-9_.-]+(?:/[a-z0-9_.-]+)*")
TAG = re.compile(r"[a-zA-Z0-9_.-]{1,128}")
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
HOST = re.compile(r"[^\s/@?#]+")


class Parts(NamedTuple):
    """What a reference says; a reference by digest has no tag."""

    registry: str
    repository: str
    tag: str = ""
    digest: str = ""


class Image(Opaque):
    """A reference to an image."""

    __slots__ = ("parts", "text")
    type_name = "kubernetes.Image"

    def __init__(self, text: str, parts: Parts) -> None:
        self.text = text
        self.parts = parts

    def equals(self, other: Any) -> bool:
        """Say whether two references are the same."""
        return isinstance(other, Image) and other.parts == self.parts


def parsed(text: str) -> Parts | None:
    """Read a reference as go-containerregistry does, None for what is none."""
    base, at, digest = text.partition("@")
    if at and not DIGEST.fullmatch(digest):
        return None
    name, colon, tag = base.rpartition(":")
    if not colon or "/" in tag:
        name, tag = base, ""
    elif not TAG.fullmatch(tag):
        return None
    first, slash, rest = name.partition("/")
    registry = ""
    if slash and ("." in first or ":" in first or first == "localhost"):
        registry, name = first, rest
    if not REPOSITORY.fullmatch(name) or (registry and not HOST.fullmatch(registry)):
        return None
    registry = REGISTRY if registry in ("", "docker.io") else registry
    if registry == REGISTRY and "/" not in name:
        name = f"library/{name}"
    return Parts(registry, name, digest=digest) if digest else Parts(registry, name, tag or "latest")


def _image(value: Any) -> Image:
    if type(value) is not str:
        raise no_overload()
    parts = parsed(value)
    if parts is None:
        raise EvaluationError(f"could not parse reference: {value}")
    return Image(value, parts)


def _is_image(value: Any) -> bool:
    if type(value) is not str:
        raise no_overload()
    return parsed(value) is not None


def _part(get: Callable[[Parts], Any]) -> Callable[..., Any]:
    def of(value: Any) -> Any:
        if not isinstance(value, Image):
            raise no_overload()
        return get(value.parts)

    return of


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "image": _image,
    "isImage": _is_image,
    "containsDigest": _part(lambda parts: bool(parts.digest)),
    "registry": _part(lambda parts: parts.registry),
    "repository": _part(lambda parts: parts.repository),
    "identifier": _part(lambda parts: parts.digest or parts.tag),
    "tag": _part(lambda parts: parts.tag),
    "digest": _part(lambda parts: parts.digest),
}
COSTS: dict[str, Callable[[list[Any], Any], int]] = {}
