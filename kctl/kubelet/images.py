"""Image references, and what is known of the images on a node.

In: the image field of a container, a pull policy. Out: the full reference, or the parser's
complaint; the image's ID; kubelet's texts. Grammar and messages as
github.com/distribution/reference and kubelet's image manager. No registry is ever asked:
every image that can be named exists, and its digest is a hash of its name.
"""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple

MAX_NAME = 255


class Image(NamedTuple):
    """A reference taken apart: ``name`` is in full, ``id`` what a runtime reports as imageID."""

    name: str = ""
    id: str = ""
    error: str = ""


@lru_cache(maxsize=1)
def _grammar() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Return the patterns of a reference and of a bare image ID."""
    label = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
    domain = rf"(?:{label}(?:\.{label})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
    part = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
    tag = r"\w[\w.-]{0,127}"
    digest = r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}"
    reference = rf"(?P<name>{domain}/{part}(?:/{part})*)(?::(?P<tag>{tag}))?(?:@(?P<digest>{digest}))?"
    return re.compile(reference, re.ASCII), re.compile("[a-f0-9]{64}")


@lru_cache(maxsize=4096)
def parse(text: str) -> Image:
    """Read an image reference as ParseNormalizedNamed does, with the default tag applied."""
    reference, identifier = _grammar()
    if identifier.fullmatch(text):
        return Image(error=f"invalid repository name ({text}), cannot specify 64-byte hexadecimal strings")
    domain, rest = _split_domain(text)
    repository = rest.partition(":")[0]
    if repository.lower() != repository:
        return Image(error=f"invalid reference format: repository name ({repository}) must be lowercase")
    found = reference.fullmatch(f"{domain}/{rest}")
    if found is None:
        return Image(error="invalid reference format")
    name = found["name"]
    if len(name.partition("/")[2]) > MAX_NAME:
        return Image(error=f"repository name must not be more than {MAX_NAME} characters")
    if found["digest"]:
        tag = f":{found['tag']}" if found["tag"] else ""
        return Image(f"{name}{tag}@{found['digest']}", f"{name}@{found['digest']}")
    full = f"{name}:{found['tag'] or 'latest'}"
    return Image(full, f"{name}@sha256:{sha256(full.encode()).hexdigest()}")


def _split_domain(text: str) -> tuple[str, str]:
    """Split a reference into registry and the rest, Docker's short forms spelled out."""
    first, slash, rest = text.partition("/")
    is_domain = "." in first or ":" in first or first == "localhost" or first.lower() != first
    if not slash or not is_domain:
        first, rest = "docker.io", text
    if first == "index.docker.io":
        first = "docker.io"
    if first == "docker.io" and "/" not in rest:
        rest = f"library/{rest}"
    return first, rest


def invalid_message(text: str, error: str) -> str:
    """Return the message of a container whose image cannot be named."""
    return f'Failed to apply default image tag "{text}": couldn\'t parse image name "{text}": {error}'


def duration(seconds: float) -> str:
    """Write a duration as Go does."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    text = f"{rest:g}s"
    if hours:
        return f"{hours}h{minutes}m{text}"
    return f"{minutes}m{text}" if minutes else text
