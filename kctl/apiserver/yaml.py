"""The API server's YAML: bodies in, answers out. The one module here that knows PyYAML.

Reading follows sigs.k8s.io/yaml where clients can tell: dates stay text, keys given twice are
complained about by line, depth and aliases have limits. The full scalar rules of kubectl belong
to manifests and stand in gitops; what clients send here has been through kubectl already.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import date
from typing import Any

import yaml

from kctl.api.errors import bad_request
from kctl.apiserver.texts import Repeats

MAX_DEPTH = 1000
MAX_NODES = 2_000_000
TEXT = "tag:yaml.org,2002:str"


def read(text: bytes | str) -> tuple[Any, Repeats | None]:
    """Read YAML as sigs.k8s.io/yaml mostly does; BadRequest when it is none."""
    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    class Loader(base):  # type: ignore[misc]
        """Reads dates and times as text."""

    dates = "tag:yaml.org,2002:timestamp"
    Loader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in found if tag != dates]
        for first, found in base.yaml_implicit_resolvers.items()
    }
    try:
        _check_size(yaml.parse(text, Loader=base))
        loader = Loader(text)
        node = loader.get_single_node()
        lines = list(_repeated(node)) if node is not None else []
        value = _jsonable(loader.construct_document(node)) if node is not None else None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        why = " ".join(str(error).split())
        raise bad_request(f"error converting YAML to JSON: yaml: {why}") from None
    return value, Repeats(lines, {}, yaml=True) if lines else None


def _jsonable(value: Any) -> Any:
    """Return what JSON has for a value of YAML, as sigs.k8s.io/yaml; ValueError when it has nothing."""
    if isinstance(value, dict):
        return {_name(name): _jsonable(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_jsonable(inner) for inner in value]
    if isinstance(value, float) and (value != value or value in (math.inf, -math.inf)):
        raise ValueError(f"json: unsupported value: {_go_float(value)}")
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, set):
        return dict.fromkeys(sorted(map(_name, value)))
    return f"{value.isoformat()}T00:00:00Z" if type(value) is date else value.isoformat()


def _name(value: Any) -> str:
    """Return the name of a field that YAML reads as something else than text."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _go_float(value)
    if isinstance(value, int):
        return str(value)
    raise ValueError("unsupported map key")


def _go_float(value: float) -> str:
    """Write a number as strconv with the fewest digits."""
    special = {math.inf: "+Inf", -math.inf: "-Inf"}
    return special.get(value, "NaN" if value != value else f"{value:g}")


def _check_size(events: Iterable[Any]) -> None:
    """Refuse what is nested too deeply, or becomes too large when its aliases are followed."""
    sizes: dict[str, int] = {}
    open_: list[tuple[str | None, int]] = []
    total = 0
    for event in events:
        what = type(event).__name__
        if what in ("MappingStartEvent", "SequenceStartEvent"):
            open_.append((event.anchor, total))
            if len(open_) > MAX_DEPTH:
                raise ValueError("exceeded max depth")
        elif what in ("MappingEndEvent", "SequenceEndEvent"):
            anchor, before = open_.pop()
            if anchor:
                sizes[anchor] = total - before
        elif what == "AliasEvent":
            total += sizes.get(event.anchor, 1)
        total += 1
        if total > MAX_NODES:
            raise ValueError("document contains excessive aliasing")


def _repeated(node: Any) -> Iterable[str]:
    """Yield a complaint for every key that a mapping has twice."""
    if node.id == "mapping":
        seen = set()
        for key, inner in node.value:
            if key.id == "scalar":
                if key.value in seen:
                    yield f'line {key.start_mark.line + 1}: key "{key.value}" already set in map'
                seen.add(key.value)
            yield from _repeated(inner)
    elif node.id == "sequence":
        for inner in node.value:
            yield from _repeated(inner)


def write(value: Any) -> str:
    """Write a value as YAML; text that would read as something else in double quotes, as go-yaml."""

    class Dumper(yaml.SafeDumper):
        """Knows the frozen objects of tests, too."""

    def write_text(dumper: Any, text: str) -> Any:
        plain = dumper.resolve(yaml.ScalarNode, text, (True, False))
        return dumper.represent_scalar(TEXT, text, style=None if plain == TEXT else '"')

    Dumper.add_representer(str, write_text)
    Dumper.add_multi_representer(dict, yaml.SafeDumper.represent_dict)
    Dumper.add_multi_representer(list, yaml.SafeDumper.represent_list)
    out: str = yaml.dump(value, Dumper=Dumper, default_flow_style=False, allow_unicode=True)
    return out
