"""Bodies are decoded as the real server decodes them, and every error is found in one go."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kctl.api import registry, structural
from kctl.api.objects import Obj, freeze
from kctl.api.schema import wire

ORACLE = Path(__file__).resolve().parents[3] / "shared" / "oracle" / "api"
BUILTIN = registry.builtin()


def decode(kind: str, obj: Any, **how: Any) -> structural.Decoded:
    """Decode an object as the kind a user calls ``kind``."""
    found = BUILTIN.find(kind)
    assert found is not None
    return structural.decode(found, obj, **how)


def deployment(**container: Any) -> Obj:
    """Return a Deployment with one container."""
    template = {
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"name": "web", "image": "nginx:1", **container}]},
    }
    spec = {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}


def test_a_well_formed_object_comes_back_as_it_is() -> None:
    obj = freeze(deployment(ports=[{"containerPort": 80}], resources={"limits": {"cpu": "100m", "memory": "1Gi"}}))
    decoded = decode("deploy", obj)
    assert decoded.obj is obj
    assert (decoded.errors, decoded.warnings, decoded.message) == ([], [], "")


def test_what_is_not_canonical_becomes_so_and_the_input_stays_as_it_was() -> None:
    obj = freeze(deployment(resources={"limits": {"cpu": 0.5, "memory": "1024Mi"}}, command=None, args=["a", None]))
    decoded = decode("deploy", obj)
    assert decoded.errors == []
    (container,) = decoded.obj["spec"]["template"]["spec"]["containers"]
    limits = {"cpu": "500m", "memory": "1Gi"}
    assert container == {"name": "web", "image": "nginx:1", "resources": {"limits": limits}, "args": ["a", ""]}


@pytest.mark.parametrize(
    ("given", "want"),
    [
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
        ("2026-01-01T02:00:00+02:00", "2026-01-01T00:00:00Z"),
        ("2026-01-01T00:00:00.9Z", "2026-01-01T00:00:00Z"),
    ],
)
def test_times_are_written_in_one_form(given: str, want: str) -> None:
    decoded = decode("cm", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"creationTimestamp": given}})
    assert decoded.obj["metadata"]["creationTimestamp"] == want


def test_all_errors_are_found_with_their_paths() -> None:
    obj = deployment(image=3, ports=[{"containerPort": "80"}], resources={"limits": {"cpu": "x"}}, zzz=1)
    obj["spec"]["replicas"] = "2"
    decoded = decode("deploy", obj)
    assert [str(error) for error in decoded.errors] == [
        "spec.replicas: Invalid type. Expected: integer, given: string",
        "spec.template.spec.containers[0].image: Invalid type. Expected: string, given: integer",
        "spec.template.spec.containers[0].ports[0].containerPort: Invalid type. Expected: integer, given: string",
        "spec.template.spec.containers[0].resources.limits.cpu: quantities must match the regular expression "
        "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
        "spec.template.spec.containers[0].zzz: unknown field",
    ]
    assert decoded.errors[1].steps == ("spec", "template", "spec", "containers", 0, "image")


PREFIX = 'Deployment in version "v1" cannot be handled as a Deployment: '


def test_go_stops_at_what_reads_itself_and_else_names_the_first_wrong_type() -> None:
    obj = deployment(image=3, resources={"limits": {"cpu": "x"}})
    assert decode("deploy", obj).message.startswith(PREFIX + "quantities must match")
    obj = deployment(image=3, name=False, zzz=1)
    assert decode("deploy", obj).message == PREFIX + (
        "json: cannot unmarshal bool into Go struct field Container.spec.template.spec.containers.name of type string"
    )


def test_unknown_fields_are_errors_warnings_or_nothing() -> None:
    obj = {**deployment(imagePullPolcy="Always"), "extra": 1}
    words = ['unknown field "spec.template.spec.containers[0].imagePullPolcy"', 'unknown field "extra"']
    strict = decode("deploy", obj)
    assert strict.message == PREFIX + "strict decoding error: " + ", ".join(words)
    warned = decode("deploy", obj, unknown="warn")
    assert (warned.errors, warned.warnings) == ([], words)
    ignored = decode("deploy", obj, unknown="ignore")
    assert (ignored.errors, ignored.warnings) == ([], [])
    assert warned.obj == ignored.obj == deployment()


def test_no_more_than_a_hundred_unknown_fields_are_named() -> None:
    obj = {"apiVersion": "v1", "kind": "ConfigMap", **{f"x{n}": 1 for n in range(150)}}
    assert decode("cm", obj).message.count("unknown field") == 100
    assert len(decode("cm", obj, unknown="warn").warnings) == 100


def test_kinds_without_a_schema_keep_their_fields_and_have_their_metadata_checked() -> None:
    obj = {"apiVersion": "kctl.dev/v1", "kind": "Intent", "metadata": {"name": "a"}, "spec": {"any": [None]}}
    assert decode("intent", obj).obj is obj
    assert decode("intent", {"apiVersion": "kctl.dev/v1", "kind": "Intent"}).errors == []
    wrong = decode("intent", {**obj, "metadata": {"name": 1, "foo": 2}}, unknown="warn")
    assert [error.path for error in wrong.errors] == ["metadata.name"]
    assert wrong.warnings == ['unknown field "metadata.foo"']


def test_an_object_nested_too_deeply_is_refused() -> None:
    inner: Any = {}
    for _ in range(20_000):
        inner = {"properties": {"a": inner}}
    spec = {"versions": [{"schema": {"openAPIV3Schema": inner}}]}
    decoded = decode("crd", {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "spec": spec})
    assert decoded.message.endswith("exceeded max depth")


@pytest.mark.parametrize(
    "body", [{"spec": []}, {"spec": {"template": 1}}, {"metadata": "x"}, {"metadata": {"labels": []}}]
)
def test_objects_of_the_wrong_shape_are_refused(body: Obj) -> None:
    assert decode("deploy", {"apiVersion": "apps/v1", "kind": "Deployment", **body}).errors


@pytest.mark.parametrize("kind", ["deploy", "intent"])
@pytest.mark.parametrize(
    ("body", "word"), [([], "array"), ("x", "string"), (1, "number"), (True, "bool"), (1.5, "number"), (None, "null")]
)
def test_a_body_that_is_no_object_is_refused(kind: str, body: Any, word: str) -> None:
    assert f"json: cannot unmarshal {word} into Go value of type v1." in decode(kind, body).message


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("", ""),
        ("YQ==", ""),
        ("YW\nI=", ""),
        ("YWJj", ""),
        ("a", "illegal base64 data at input byte 0"),
        ("abc", "illegal base64 data at input byte 0"),
        ("YWJjZ", "illegal base64 data at input byte 4"),
        ("a=", "illegal base64 data at input byte 1"),
        ("YQ=x", "illegal base64 data at input byte 2"),
        ("YQ==x", "illegal base64 data at input byte 4"),
        ("no!", "illegal base64 data at input byte 2"),
    ],
)
def test_bytes_are_base64(text: str, wrong: str) -> None:
    assert wire.base64_error(text) == wrong


LAYOUT = wire.SECONDS


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("2026-02-28T23:59:59Z", ""),
        ("2024-02-29T00:00:00.123456789Z", ""),
        ("2026-01-01T00:00:00-07:30", ""),
        ("x", f'parsing time "x" as "{LAYOUT}": cannot parse "x" as "2006"'),
        ("", f'parsing time "" as "{LAYOUT}": cannot parse "" as "2006"'),
        ("2026-01-01", f'parsing time "2026-01-01" as "{LAYOUT}": cannot parse "" as "T"'),
        ("2026-01-01T00:00:00", f'parsing time "2026-01-01T00:00:00" as "{LAYOUT}": cannot parse "" as "Z07:00"'),
        ("2026-13-01T00:00:00Z", 'parsing time "2026-13-01T00:00:00Z": month out of range'),
        ("2026-02-29T00:00:00Z", 'parsing time "2026-02-29T00:00:00Z": day out of range'),
        ("2026-01-01T24:00:00Z", 'parsing time "2026-01-01T24:00:00Z": hour out of range'),
        ("2026-01-01T00:00:00Zx", 'parsing time "2026-01-01T00:00:00Zx": extra text: "x"'),
    ],
)
def test_times_are_rfc_3339(text: str, wrong: str) -> None:
    assert wire.read_time(text, micro=False)[1] == wrong


def test_times_to_the_microsecond_need_all_six_digits() -> None:
    assert wire.read_time("2026-01-01T00:00:00.000001Z", micro=True) == ("2026-01-01T00:00:00.000001Z", "")
    assert wire.read_time("2026-01-01T00:00:00Z", micro=True)[1].endswith('cannot parse "Z" as ".000000"')
    lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "spec": {"renewTime": "2026-01-01T00:00:00Z"}}
    assert decode("lease", lease).errors


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=5,
)
FIELDS = st.sampled_from(["name", "image", "command", "ports", "env", "resources", "livenessProbe", "stdin", "x"])


@settings(max_examples=150)
@given(st.dictionaries(FIELDS, JSON, max_size=3))
def test_anything_is_decoded_or_refused_and_what_comes_out_goes_in_again(container: Obj) -> None:
    obj = freeze(deployment(**container))
    decoded = decode("deploy", obj, unknown="ignore")
    assert bool(decoded.errors) == bool(decoded.message)
    if not decoded.errors:
        again = decode("deploy", decoded.obj)
        assert again.errors == []
        assert again.obj is decoded.obj


def recorded() -> Iterator[tuple[str, Obj, str, Obj]]:
    """Yield id, body, field validation and answer of each recorded create and update."""
    for path in sorted(ORACLE.glob("*.jsonl.gz")):
        if path.name == "crd.jsonl.gz":
            continue
        with gzip.open(path, "rt") as lines:
            for line in lines:
                case = json.loads(line)
                for step in case["steps"]:
                    request = step.get("request", {})
                    body = request.get("body")
                    if request.get("method") not in ("POST", "PUT") or not isinstance(body, dict):
                        continue
                    query = parse_qs(urlsplit(request["path"]).query)
                    yield case["id"], body, query.get("fieldValidation", ["Warn"])[0].lower(), step["response"]


ANOTHER_KIND = {"proto-dd7ee9b2"}
"""Bodies that are fine, but of another kind than the path's."""


def test_recorded_bodies_are_refused_in_the_words_of_a_real_server() -> None:
    if not ORACLE.exists():
        pytest.skip("the recorded answers are not here")
    refused = warned = 0
    for name, body, mode, answer in recorded():
        kind = BUILTIN.by_kind(str(body.get("apiVersion", "")), str(body.get("kind", "")))
        if kind is None or name in ANOTHER_KIND:
            continue
        decoded = structural.decode(kind, body, unknown=mode)  # type: ignore[arg-type]
        status = answer.get("body") if isinstance(answer.get("body"), dict) else {}
        message = str((status or {}).get("message", ""))
        if answer["code"] == 400 and "cannot be handled as" in message:
            assert decoded.message == message, name
            refused += 1
        elif answer["code"] != 404:
            assert decoded.errors == [], name
            given = [text for text in answer.get("warnings", []) if "unknown field" in text]
            if answer["code"] < 300:
                quoted = [text.replace('"', '\\"') for text in decoded.warnings]
                assert [f'299 - "{text}"' for text in quoted] == given, name
                warned += bool(given)
    assert refused > 1000
    assert warned > 50
