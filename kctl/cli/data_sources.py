"""What ``--from-literal``, ``--from-file`` and ``--from-env-file`` bring, in kubectl's words.

In: the flags' texts. Out: keys with their bytes, in the order given.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from kctl.api.errors import KctlError


class Sources(NamedTuple):
    """The flags."""

    literals: Sequence[str] = ()
    files: Sequence[str] = ()
    env_files: Sequence[str] = ()


def load(sources: Sources, kind: str, name: str) -> dict[str, bytes]:
    """Return the data for a ConfigMap or Secret; KctlError for what kubectl refuses."""
    from kctl.api.validation.formats import config_key

    if sources.env_files and (sources.files or sources.literals):
        raise KctlError("from-env-file cannot be combined with from-file or from-literal")
    out: dict[str, bytes] = {}
    for key, value in _all(sources):
        wrong = config_key(key)
        if wrong:
            raise KctlError(f'"{key}" is not a valid key name for a {kind}: {",".join(wrong)}')
        if key in out:
            raise KctlError(
                f'cannot add key "{key}", another key by that name already exists in Data for {kind} "{name}"'
            )
        out[key] = value
    return out


def _all(sources: Sources) -> Iterator[tuple[str, bytes]]:
    for text in sources.files:
        yield from _file(text)
    for text in sources.literals:
        yield literal(text)
    for path in sources.env_files:
        yield from env_file(path)


def literal(text: str) -> tuple[str, bytes]:
    """Read ``key=value``, as ParseLiteralSource."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise KctlError(f"invalid literal source {text}, expected key=value")
    return key, value.encode()


def _file(text: str) -> Iterator[tuple[str, bytes]]:
    key, path = file_source(text)
    if not Path(path).is_dir():
        yield key, _read(path)
        return
    if "=" in text:
        raise KctlError("cannot give a key name for a directory path")
    for entry in sorted(os.scandir(path), key=lambda entry: entry.name):
        if entry.is_file(follow_symlinks=False):
            yield entry.name, _read(entry.path)


def file_source(text: str) -> tuple[str, str]:
    """Read ``path`` or ``key=path``, as ParseFileSource."""
    parts = text.split("=")
    if len(parts) == 1:
        return Path(text).name, text
    if len(parts) > 2:
        raise KctlError("key names or file paths cannot contain '='")
    key, path = parts
    if not key:
        raise KctlError(f"key name for file path {path} missing")
    if not path:
        raise KctlError(f"file path for key name {key} missing")
    return key, path


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise KctlError(f"error reading {path}: {(error.strerror or str(error)).lower()}") from None


def env_file(path: str) -> Iterator[tuple[str, bytes]]:
    """Read lines of ``KEY=value``; a key alone takes its value from the environment, as AddFromEnvFile."""
    if Path(path).is_dir():
        raise KctlError("env config file cannot be a directory")
    try:
        text = _read(path).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise KctlError(f"env file {path} contains invalid utf8 bytes") from None
    for number, line in enumerate(text.splitlines(), 1):
        line = line.lstrip()
        if not line or line.startswith("#"):
            continue
        key, equals, value = line.partition("=")
        if not _is_variable(key):
            raise KctlError(f"{path}: line {number}: {key!r} is not a valid environment variable name")
        if equals:
            yield key, value.encode()
        elif key in os.environ:
            yield key, os.environ[key].encode()


def _is_variable(name: str) -> bool:
    from kctl.api.validation.formats import env_var_name

    return not env_var_name(name)
