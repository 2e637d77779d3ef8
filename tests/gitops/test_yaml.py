"""Documents, places, duplicates, aliases, limits and syntax errors."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kctl.gitops import documents
from kctl.gitops.documents import load
from kctl.gitops.yaml import dump

CORPUS = Path(__file__).resolve().parents[3] / "shared" / "corpus"


def values(text: str | bytes) -> list[Any]:
    loaded = load(text.encode() if isinstance(text, str) else text)
    assert loaded.problems == []
    return [document.value for document in loaded.documents]


def problems(text: str | bytes) -> list[str]:
    loaded = load(text.encode() if isinstance(text, str) else text)
    return [f"{problem.line}:{problem.column}: {problem.message}" for problem in loaded.problems]


class TestDocuments:
    def test_several_documents_are_read_in_order(self) -> None:
        assert values("a: 1\n---\nb: 2\n...\n---\nc: 3\n") == [{"a": 1}, {"b": 2}, {"c": 3}]

    @pytest.mark.parametrize(
        "text", ["", "\n", "# only a comment\n", "---\n", "---\n---\n", "null\n", "~", "--- # x\n"]
    )
    def test_an_empty_document_is_none(self, text: str) -> None:
        assert values(text) == []

    def test_the_line_is_that_of_the_value_and_not_of_the_separator(self) -> None:
        loaded = load(b"# head\n---\n\na: 1\n---\n# about b\nb: 2\n")
        assert [(document.line, document.column) for document in loaded.documents] == [(4, 1), (7, 1)]

    def test_windows_line_ends_and_a_byte_order_mark_are_no_trouble(self) -> None:
        assert values(b"\xef\xbb\xbfa: |\r\n  x\r\n  y\r\n") == [{"a": "x\ny\n"}]

    def test_after_a_syntax_error_the_next_document_is_read(self) -> None:
        loaded = load(b"a: [1\n---\nb: 2\n---\nc: {\n---\nd: 4\n")
        assert [document.value for document in loaded.documents] == [{"b": 2}, {"d": 4}]
        assert [document.line for document in loaded.documents] == [3, 7]
        assert [problem.line for problem in loaded.problems] == [2, 6]

    @pytest.mark.parametrize("text", ["--- a: b: c\n", "--- [\n--- ]\n--- }\n", "---\n---\n--- a: b: c\n---\nd: 1\n"])
    def test_an_error_beside_the_separator_is_passed_by(self, text: str) -> None:
        assert problems(text)

    def test_a_file_of_nothing_but_errors_ends_early(self) -> None:
        loaded = load(b"a: [\n---\n" * 500)
        assert len(loaded.problems) == documents.MAX_PROBLEMS


class TestPlaces:
    TEXT = b"""\
kind: Deployment
spec:
  replicas: 3
  template:
    containers:
    - name: web
      image: nginx
    - {name: side, ports: [80, 90]}
  labels:
    app.kubernetes.io/name: web
"""

    @pytest.mark.parametrize(
        ("path", "place"),
        [
            ("kind", (1, 1)),
            ("spec.replicas", (3, 3)),
            ("spec.template.containers[0].image", (7, 7)),
            ("spec.template.containers[1]", (8, 7)),
            ("spec.template.containers[1].ports[1]", (8, 32)),
            ("spec.labels[app.kubernetes.io/name]", (10, 5)),
            ("spec.labels[none]", (9, 3)),
            ("spec.selector", (2, 1)),
            ("spec.template.containers[7].name", (5, 5)),
            ("nothing", (1, 1)),
            ("", (1, 1)),
        ],
    )
    def test_a_field_is_found_or_what_is_closest_around_it(self, path: str, place: tuple[int, int]) -> None:
        assert load(self.TEXT).documents[0].positions.place(path) == place

    def test_json_has_places_too_even_with_surrogate_pairs(self) -> None:
        text = b'{"a": "\\ud83d\\ude00",\n "b": {\n  "c": 1}}\n\n{"d": 2}'
        first, second = load(text).documents
        assert first.value == {"a": "\N{GRINNING FACE}", "b": {"c": 1}}
        assert first.positions.place("b.c") == (3, 3)
        assert (second.line, second.positions.place("d")) == (5, (5, 2))

    def test_a_merged_field_stands_where_it_was_written(self) -> None:
        document = load(b"base: &b\n  x: 1\nuse:\n  <<: *b\n  z: 2\n").documents[0]
        assert document.positions.place("use.x") == (2, 3)
        assert document.positions.place("use.z") == (5, 3)

    def test_half_a_surrogate_pair_is_replaced(self) -> None:
        assert values(r'{"a\ud800": ["x\udc00y"]}') == [{"a\ufffd": ["x\ufffdy"]}]


class TestDuplicates:
    def test_both_lines_are_named(self) -> None:
        assert problems("a:\n  x: 1\n  y : 2\n  x: 3\n") == ['4:3: duplicate key "x", first in line 2']

    def test_keys_that_become_the_same_string_are_duplicates(self) -> None:
        assert problems('1: a\n"1": b\n') == ['2:1: duplicate key "1", first in line 1']

    def test_all_of_them_are_reported(self) -> None:
        assert len(problems("a: 1\na: 2\nb: {c: 1, c: 2, c: 3}\n")) == 3

    def test_json_is_no_exception(self) -> None:
        assert problems('{"a": 1,\n "a": 2}') == ['2:2: duplicate key "a", first in line 1']

    def test_a_key_that_holds_a_mapping_counts(self) -> None:
        assert problems("a: {b: 1}\na: {c: 1}\n") == ['2:1: duplicate key "a", first in line 1']


class TestMergesAndAliases:
    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("{x: 9, <<: *b}", {"x": 1, "z": 2}),
            ("{<<: *b, x: 9}", {"x": 9, "z": 2}),
            ("{<<: [*b, {x: 3, q: 4}], r: 1}", {"x": 1, "z": 2, "q": 4, "r": 1}),
            ("{<<: [{x: 1}, {x: 2}], <<: {x: 3}}", {"x": 3}),
            ('{"<<": *b}', {"<<": {"x": 1, "z": 2}}),
            ('{!!merge "<<": *b}', {"x": 1, "z": 2}),
            ("{!!str <<: *b}", {"<<": {"x": 1, "z": 2}}),
        ],
    )
    def test_merge_keys_do_what_they_do_to_kubectl(self, text: str, value: Any) -> None:
        assert values(f"b: &b {{x: 1, z: 2}}\na: {text}\n")[0]["a"] == value

    @pytest.mark.parametrize("text", ["{<<: 3}", "{<<: ~}", "{<<: *l}", "{<<: [1]}"])
    def test_only_mappings_can_be_merged(self, text: str) -> None:
        assert problems(f"l: &l [{{x: 1}}]\na: {text}\n")[0].endswith(
            "map merge requires map or sequence of maps as the value"
        )

    def test_a_merge_leaves_what_it_merged_alone(self) -> None:
        value = values("b: &b {x: 1}\na: {<<: *b, x: 2}\nc: *b\n")[0]
        assert (value["b"], value["c"]) == ({"x": 1}, {"x": 1})

    def test_an_anchor_may_be_used_again(self) -> None:
        text = "a: &x 1\nb: &x 2\nc: *x\nd: &x {e: 3}\nf: *x\n"
        assert values(text)[0] == {"a": 1, "b": 2, "c": 2, "d": {"e": 3}, "f": {"e": 3}}

    def test_an_alias_may_be_a_key(self) -> None:
        assert values("x: &k 1e6\na: {*k : 1}\n")[0] == {"x": 1000000, "a": {"1e+06": 1}}

    def test_an_unknown_anchor_is_named(self) -> None:
        assert problems("a: *nope\n") == ["1:4: unknown anchor 'nope' referenced"]

    def test_an_anchor_cannot_contain_itself(self) -> None:
        assert problems("a: &a [*a]\n") == ["1:8: anchor 'a' value contains itself"]


class TestLimits:
    def test_an_alias_bomb_is_refused(self) -> None:
        lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
        lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
        (problem,) = problems("\n".join(lines))
        assert problem.endswith("document contains excessive aliasing")

    def test_a_long_text_cannot_be_multiplied_either(self) -> None:
        text = f"a: &a {'x' * 1_000_000}\nb: [{', '.join(['*a'] * 50)}]\n"
        assert problems(text)[0].endswith("document contains excessive aliasing")

    def test_a_few_hundred_aliases_are_fine(self) -> None:
        text = "a: &a {x: 1, z: 2}\nb: [" + ", ".join(["*a"] * 300) + "]\n"
        assert len(values(text)[0]["b"]) == 300

    @pytest.mark.parametrize(
        "text",
        [
            "[" * 1000 + "]" * 1000,
            "{a: " * 1000 + "}" * 1000,
            "".join(" " * n + "a:\n" for n in range(1000)),
            '{"a": ' * 1000 + "1" + "}" * 1000,
            '{"a": ' * 100_000,
            "- " * 1000 + "x",
        ],
    )
    def test_a_thousand_levels_are_refused(self, text: str) -> None:
        assert any("nested more than 200 deep" in problem for problem in problems(text))

    def test_aliases_cannot_nest_deeper_than_text_can(self) -> None:
        lines = ["a0: &a0 " + "[" * 90 + "]" * 90]
        lines += [f"a{n}: &a{n} " + "[" * 90 + f"*a{n - 1}" + "]" * 90 for n in range(1, 4)]
        assert "nested more than 200 deep" in problems("\n".join(lines))[0]

    @pytest.mark.parametrize("depth", [199, 200])
    def test_what_is_within_the_limit_is_read(self, depth: int) -> None:
        values("[" * depth + "]" * depth)

    def test_a_document_is_as_large_as_the_api_server_takes(self) -> None:
        text = "a: " + "x" * (documents.MAX_DOCUMENT + 10)
        assert problems(text) == ["1:1: the document is larger than 3 MiB"]
        assert problems(json.dumps({"a": text})) == ["1:1: the document is larger than 3 MiB"]
        assert values(f"kind: List\n{text}")

    def test_a_file_above_the_limit_is_refused_unread(self) -> None:
        assert problems(b"x" * (documents.MAX_FILE + 1)) == ["1:1: larger than 32 MiB"]


class TestWhatIsNoText:
    @pytest.mark.parametrize(
        ("data", "message"),
        [
            ("a: 1\n".encode("utf-16"), "1:1: the text is UTF-16: save it as UTF-8"),
            (b"\xfe\xff\0a", "1:1: the text is UTF-16: save it as UTF-8"),
            (b"a: 1\nb: \0\n", "2:4: the text contains a NUL byte"),
            (
                b"a: 1\n<<<<<<< HEAD\nb: 1\n=======\nb: 2\n>>>>>>> theirs\n",
                "2:1: a conflict marker: the merge was never finished",
            ),
            (b"<<<<<<< HEAD\n=======\nb: 2\n>>>>>>> x\n", "1:1: a conflict marker: the merge was never finished"),
            (
                b"version https://git-lfs.example/spec/v1\noid sha256:00\nsize 3\n",
                "1:1: a pointer of Git LFS: the content itself is not here",
            ),
            (b"a: 1\nb: \xff\n", "2:4: the text is not UTF-8 (byte 0xff)"),
            ("a: ü\nü: \x01\n".encode(), "2:4: control characters are not allowed"),
            (b"a:\n\t- 1\n", "2:1: a tab character cannot indent YAML: use spaces"),
            (b"a:\n  b: 1\n\tc: 2\n", "3:1: a tab character cannot indent YAML: use spaces"),
            (b"a: b: c\n", "1:5: mapping values are not allowed in this context"),
            (b"a: 'x\n", "2:1: found unexpected end of stream (while scanning a quoted scalar that began in line 1)"),
            (b"a: @x\n", "1:4: found character that cannot start any token"),
            (b"a: [1, 2\nb: 3\n", None),
            (b"<<<<<<< HEAD\na: 1\n=======\n", None),
        ],
    )
    def test_the_place_and_the_reason_are_named(self, data: bytes, message: str | None) -> None:
        (found,) = problems(data)
        assert message in (None, found)


LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.sampled_from(
        ["yes", "0o17", "1e3", "12:30:00", "2001-01-01", "<<", "=", "~", "", "y", " x", "#a", "a: b", "-"]
    )
)
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["<<", "1", "y"]), inner)
)


def through_json(value: Any) -> Any:
    """Return the value as it is after Go's JSON: whole floats are integers."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**63:
        return int(json.loads(json.dumps(value))) if abs(value) <= 2**53 else pytest.approx(value)
    if isinstance(value, dict):
        return {key: through_json(part) for key, part in value.items()}
    return [through_json(part) for part in value] if isinstance(value, list) else value


@settings(max_examples=25, deadline=None)
@given(st.dictionaries(st.text(), JSON))
def test_what_is_written_is_read_back(value: dict[str, Any]) -> None:
    assert values(dump({"x": value}).encode("utf-8", "surrogatepass"))[0] == {"x": through_json(value)}


@settings(max_examples=25, deadline=None)
@given(st.dictionaries(st.text(), JSON))
def test_json_is_read_as_json(value: dict[str, Any]) -> None:
    assert values(json.dumps({"x": value}))[0] == {"x": through_json(value)}


@settings(max_examples=150, deadline=None)
@given(st.binary() | st.text(alphabet="{}[]&*!<>|:-?#'\"\n\t ab1,%@`.").map(str.encode))
def test_no_bytes_do_anything_but_load_or_be_refused(data: bytes) -> None:
    loaded = load(data)
    for document in loaded.documents:
        json.dumps(document.value, allow_nan=False)
        assert document.positions.place("a.b[0]").line >= 1
    assert all(problem.line >= 1 and problem.message for problem in loaded.problems)


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus is not beside the checkout")
def test_real_manifests_survive_being_damaged() -> None:
    text = (CORPUS / "microservices-demo" / "kubernetes-manifests.yaml").read_bytes()[:6000]
    rng = random.Random(7)
    for _ in range(60):
        data = bytearray(text)
        for _ in range(rng.randint(1, 4)):
            data[rng.randrange(len(data))] = rng.choice(b"\t{}[]&*:-\n\"'| \xc3\0")
        load(bytes(data))
