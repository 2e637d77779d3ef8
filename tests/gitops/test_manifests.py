"""From paths to manifests: what is found, what is skipped, and every error with its place."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from kctl.api.errors import required
from kctl.gitops import manifests, parsed
from kctl.gitops.manifests import Options
from kctl.gitops.parsed import ParseCache
from kctl.gitops.sources import ManifestErrors

CORPUS = Path(__file__).resolve().parents[3] / "shared" / "corpus"


def config_map(name: str, extra: str = "") -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n{extra}"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(path: Path, text: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def names(*paths: str, recursive: bool = False, options: Options = manifests.DEFAULTS) -> list[str]:
    found = manifests.load(paths, recursive=recursive, options=options)
    return [f"{manifest.place()} {manifest.object['metadata']['name']}" for manifest in found]


def errors(*paths: str, recursive: bool = False, options: Options = manifests.DEFAULTS) -> list[str]:
    with pytest.raises(ManifestErrors) as caught:
        manifests.load(paths, recursive=recursive, options=options)
    assert caught.value.message.splitlines() == [str(error) for error in caught.value.errors]
    return [str(error) for error in caught.value.errors]


class TestWhatIsFound:
    def test_a_directory_gives_its_manifests_and_nothing_else(self, here: Path) -> None:
        for name in ("b.yaml", "a.yml", ".hidden.yaml", "notes.md", "sub/d.yaml", ".kctl/x.yaml"):
            write(here / name, config_map(Path(name).stem.strip(".")))
        write(here / "c.json", '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c"}}')
        assert names(".") == ["a.yml:1 a", "b.yaml:1 b", "c.json:1 c"]

    def test_recursion_goes_below(self, here: Path) -> None:
        for name in ("b.yaml", "sub/a.yaml", "sub/deep/c.yaml", ".git/d.yaml"):
            write(here / name, config_map(Path(name).stem))
        assert names(".", recursive=True) == ["b.yaml:1 b", "sub/a.yaml:1 a", "sub/deep/c.yaml:1 c"]

    def test_paths_are_shown_as_they_were_given(self, here: Path) -> None:
        write(here / "shop" / "web.yaml", config_map("web"))
        assert names("shop/") == ["shop/web.yaml:1 web"]
        assert names("./shop/web.yaml") == ["shop/web.yaml:1 web"]
        assert names(str(here / "shop")) == [f"{here}/shop/web.yaml:1 web"]

    def test_the_order_of_the_paths_does_not_matter(self, here: Path) -> None:
        for name in ("a", "b"):
            write(here / f"{name}.yaml", config_map(name))
        assert names("b.yaml", "a.yaml") == names("a.yaml", "b.yaml")

    def test_a_file_named_twice_is_read_once(self, here: Path) -> None:
        write(here / "a.yaml", config_map("a"))
        assert names("a.yaml", ".", "./a.yaml") == ["a.yaml:1 a"]

    def test_a_named_file_needs_no_extension(self, here: Path) -> None:
        write(here / "manifest", config_map("a"))
        assert names("manifest") == ["manifest:1 a"]

    def test_standard_input_is_a_dash(self) -> None:
        found = manifests.load(["-"], stdin=io.BytesIO(config_map("a").encode()))
        assert [manifest.place() for manifest in found] == ["-:1"]

    def test_documents_and_lists_are_flattened(self, here: Path) -> None:
        text = config_map("a") + "---\n# nothing\n---\n"
        text += "apiVersion: v1\nkind: List\nitems:\n- " + config_map("b").replace("\n", "\n  ").rstrip() + "\n"
        text += "---\napiVersion: v1\nkind: ConfigMapList\nitems:\n- metadata: {name: c}\n"
        write(here / "all.yaml", text)
        assert names("all.yaml") == ["all.yaml:1 a", "all.yaml:11 b", "all.yaml:19 c"]
        found = manifests.load(["all.yaml"])
        assert found[1].place("metadata.name") == "all.yaml:14"
        assert found[2].object["kind"] == "ConfigMap"

    def test_an_empty_list_is_no_error(self, here: Path) -> None:
        write(here / "a.yaml", "apiVersion: v1\nkind: List\nitems: []\n---\n" + config_map("b"))
        assert names("a.yaml") == ["a.yaml:5 b"]

    def test_the_clusters_shape_is_no_manifest(self, here: Path) -> None:
        write(here / "kctl.yaml", "apiVersion: kctl.dev/v1\nkind: Cluster\nnodes: 3\n")
        write(here / "a.yaml", config_map("a"))
        assert names(".") == ["a.yaml:1 a"]

    def test_a_link_to_a_directory_is_followed_once(self, here: Path) -> None:
        write(here / "real" / "a.yaml", config_map("a"))
        (here / "link").symlink_to(here / "real")
        assert names(".", recursive=True) == ["link/a.yaml:1 a"]

    def test_a_pipe_that_was_named_is_read(self, here: Path) -> None:
        read_end, write_end = os.pipe()
        os.write(write_end, config_map("piped").encode())
        os.close(write_end)
        try:
            assert names(f"/dev/fd/{read_end}") == [f"/dev/fd/{read_end}:1 piped"]
        finally:
            os.close(read_end)


class TestWhatIsWrong:
    def test_every_error_of_every_file_is_reported_in_order(self, here: Path) -> None:
        write(here / "b.yaml", "a: [\n---\nkind: X\n---\n" + config_map("ok") + "---\n- 1\n")
        write(here / "a.yaml", "x: 1\nx: 2\n")
        assert errors("b.yaml", "a.yaml") == [
            'a.yaml:2:1: duplicate key "x", first in line 1',
            "b.yaml:2:1: did not find expected node content",
            "b.yaml:3: not a manifest: apiVersion must be set",
            "b.yaml:10: not a manifest: the document is a list, not an object",
        ]

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("a: 1\n", "x.yaml:1: not a manifest: apiVersion and kind must be set"),
            ("apiVersion: v1\n", "x.yaml:1: not a manifest: kind must be set"),
            ("\nkind: Pod\n", "x.yaml:2: not a manifest: apiVersion must be set"),
            ("apiVersion: 1\nkind: Pod\n", "x.yaml:1: not a manifest: apiVersion and kind must be strings"),
            ("just text\n", "x.yaml:1: not a manifest: the document is a plain value, not an object"),
            ("apiVersion: v1\nkind: Pod\n", "x.yaml:1: Pod: metadata.name must be set"),
            ("apiVersion: v1\nkind: Pod\nmetadata: {}\n", "x.yaml:3: Pod: metadata.name must be set"),
            ("apiVersion: v1\nkind: Pod\nmetadata: x\n", "x.yaml:3: Pod: metadata must be an object"),
            ("apiVersion: v1\nkind: Pod\nmetadata:\n  name: 1\n", "x.yaml:4: Pod: metadata.name must be a string"),
            ("apiVersion: v1\nkind: Pod\nmetadata:\n  name: 0\n", "x.yaml:4: Pod: metadata.name must be a string"),
            (
                "apiVersion: v1\nkind: Pod\nmetadata:\n  name: n\n",
                "x.yaml:4: Pod: metadata.name must be a string"
                " (y, n, yes, no, on and off are booleans in YAML: quote it)",
            ),
            (
                "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n  namespace: 1\n",
                'x.yaml:5: Pod "a": metadata.namespace must be a string',
            ),
            (
                "apiVersion: v1\nkind: Pod\nmetadata:\n  generateName: a-\n",
                "x.yaml:4: Pod: metadata.generateName cannot be applied: every apply would make another object",
            ),
            ("apiVersion: v1\nkind: List\nitems: 3\n", "x.yaml:3: items must be a list"),
            (
                "apiVersion: v1\nkind: List\nitems:\n- 3\n",
                "x.yaml:4: not a manifest: the document is a plain value, not an object",
            ),
            (
                "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n",
                "x.yaml:1: building a kustomization is not built yet: give the output of kustomize",
            ),
            ("", "x.yaml: no manifests in this file"),
            ("# only\n---\n", "x.yaml: no manifests in this file"),
        ],
    )
    def test_what_is_no_manifest_says_why(self, here: Path, text: str, message: str) -> None:
        write(here / "x.yaml", text)
        assert errors("x.yaml") == [message]

    def test_what_is_no_manifest_can_be_skipped(self, here: Path) -> None:
        write(here / "values.yaml", "replicas: 3\n---\n- 1\n")
        write(here / "a.yaml", config_map("a"))
        assert names(".", options=Options(ignore_not_manifest=True)) == ["a.yaml:1 a"]
        assert len(errors(".")) == 2

    def test_half_a_manifest_is_not_skipped(self, here: Path) -> None:
        write(here / "a.yaml", "kind: Pod\n---\n" + config_map("a"))
        assert errors(".", options=Options(ignore_not_manifest=True)) == [
            "a.yaml:1: not a manifest: apiVersion must be set"
        ]

    def test_two_documents_of_one_object_name_both_places(self, here: Path) -> None:
        write(here / "a.yaml", config_map("same"))
        write(here / "b.yaml", "\n" + config_map("same", "  namespace: default\n"))
        assert errors(".") == ['b.yaml:2: ConfigMap "same" is also described at a.yaml:1']

    def test_the_same_name_in_another_namespace_or_kind_is_another_object(self, here: Path) -> None:
        text = config_map("same") + "---\n" + config_map("same", "  namespace: other\n")
        write(here / "a.yaml", text + "---\n" + config_map("same").replace("ConfigMap", "Secret"))
        assert len(names(".")) == 3

    def test_the_given_namespace_decides_what_is_the_same(self, here: Path) -> None:
        write(here / "a.yaml", config_map("same") + "---\n" + config_map("same", "  namespace: other\n"))
        assert errors(".", options=Options(namespace="other"))

    def test_a_path_that_is_not_there_is_named(self, here: Path) -> None:
        assert errors("nope.yaml") == ["nope.yaml: no such file or directory"]

    def test_an_empty_directory_is_an_error(self, here: Path) -> None:
        (here / "empty").mkdir()
        assert errors("empty") == ["empty: no manifests in this directory"]

    def test_manifests_further_below_are_hinted_at(self, here: Path) -> None:
        write(here / "top" / "sub" / "a.yaml", config_map("a"))
        assert errors("top") == ["top: no manifests in this directory (add -R for what is in its subdirectories)"]

    def test_a_directory_of_empty_files_has_no_manifests(self, here: Path) -> None:
        write(here / "d" / "a.yaml", "# nothing\n")
        assert errors("d") == ["d: no manifests here"]

    @pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
    def test_an_unreadable_file_is_named(self, here: Path) -> None:
        write(here / "a.yaml", config_map("a")).chmod(0)
        assert errors(".") == ["a.yaml: permission denied"]

    def test_a_file_that_fails_while_it_is_read_is_named(self, here: Path) -> None:
        assert errors("/proc/self/mem")[0].startswith("/proc/self/mem: ")

    def test_a_loop_of_links_is_reported(self, here: Path) -> None:
        write(here / "shop" / "a.yaml", config_map("a"))
        (here / "shop" / "loop").symlink_to(here / "shop")
        assert errors("shop", recursive=True) == ["shop/loop: this link leads back to a directory it is in"]

    def test_links_that_lead_nowhere_or_in_circles_are_reported(self, here: Path) -> None:
        (here / "dead.yaml").symlink_to("nowhere")
        (here / "one.yaml").symlink_to("two.yaml")
        (here / "two.yaml").symlink_to("one.yaml")
        assert errors(".") == [
            "dead.yaml: this link leads nowhere",
            "one.yaml: too many levels of symbolic links",
            "two.yaml: too many levels of symbolic links",
        ]

    def test_a_device_is_not_read(self, here: Path) -> None:
        (here / "zero.yaml").symlink_to("/dev/zero")
        assert errors(".") == ["zero.yaml: not a regular file"]

    def test_a_stream_without_end_is_given_up(self) -> None:
        assert errors("/dev/zero") == ["/dev/zero:1:1: larger than 32 MiB"]

    def test_a_kustomization_is_refused_as_a_whole(self, here: Path) -> None:
        write(here / "k" / "kustomization.yaml", "resources: [a.yaml]\n")
        write(here / "k" / "a.yaml", config_map("a"))
        assert errors("k") == [
            "k: building a kustomization is not built yet: name the files, or give the output of kustomize"
        ]

    def test_an_address_is_no_path(self) -> None:
        assert errors("https://example.com/a.yaml") == [
            "https://example.com/a.yaml: kctl reads no URLs: download it first"
        ]

    def test_standard_input_comes_once(self) -> None:
        with pytest.raises(ManifestErrors, match="only once"):
            manifests.load(["-", "-"], stdin=io.BytesIO(config_map("a").encode()))

    def test_a_name_that_is_no_text_is_still_one_line(self, here: Path) -> None:
        write(Path(os.fsdecode(os.fsencode(here) + b"/b\xff\n.yaml")), "a: [\n")
        (message,) = errors(".")
        assert message.isprintable()
        assert message.startswith(r"b\\xff\n.yaml:2:1: ")


class TestPlaces:
    def test_field_errors_get_the_place_of_their_field(self, here: Path) -> None:
        write(here / "a.yaml", "---\n" + config_map("a", "data:\n  x: y\n"))
        (manifest,) = manifests.load(["a.yaml"])
        found = manifests.located(manifest, [required("data[x]", "why"), required("spec")], 'configmaps "a"')
        assert found.message.splitlines() == [
            'a.yaml:2: configmaps "a": spec: Required value',
            'a.yaml:7: configmaps "a": data[x]: Required value: why',
        ]

    def test_the_cluster_is_read_with_its_places(self, here: Path) -> None:
        path = write(here / "kctl.yaml", "apiVersion: kctl.dev/v1\nkind: Cluster\nnodes: 3\n")
        found = manifests.load_cluster(path)
        assert (found.object["nodes"], found.place("nodes")) == (3, "kctl.yaml:3")

    @pytest.mark.parametrize("text", ["", "a: 1\n", config_map("a"), "a: [\n"])
    def test_anything_else_is_no_cluster(self, here: Path, text: str) -> None:
        with pytest.raises(ManifestErrors, match=r"^kctl\.yaml"):
            manifests.load_cluster(write(here / "kctl.yaml", text))


class TestCache:
    def test_what_did_not_change_is_not_parsed_again(self, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        write(here / "a.yaml", config_map("a") + "---\n" + config_map("b"))
        options = Options(cache=ParseCache(here / ".kctl"))
        fresh = manifests.load(["a.yaml"], options=options)
        monkeypatch.setattr(manifests, "load_text", None)
        cached = manifests.load(["a.yaml"], options=options)
        assert [m[:3] for m in cached] == [m[:3] for m in fresh]
        assert cached[1].place("metadata.name") == "a.yaml:9" == fresh[1].place("metadata.name")

    def test_errors_are_not_remembered(self, here: Path) -> None:
        write(here / "a.yaml", "a: [\n")
        options = Options(cache=ParseCache(here / ".kctl"))
        assert errors("a.yaml", options=options) == errors("a.yaml", options=options)

    @pytest.mark.parametrize("damage", [b"", b"\0" * 50, b"kctl-parsed-1 x\n[]", b"[]", None])
    def test_a_damaged_file_counts_as_not_there(self, here: Path, damage: bytes | None) -> None:
        write(here / "a.yaml", config_map("a"))
        options = Options(cache=ParseCache(here / ".kctl"))
        manifests.load(["a.yaml"], options=options)
        (file,) = (here / ".kctl" / "cache" / "parsed").iterdir()
        assert file.stat().st_mode & 0o777 == 0o600
        data = file.read_bytes()
        file.write_bytes(data[:-3] + b"x" + data[-2:] if damage is None else damage)
        assert names("a.yaml", options=options) == ["a.yaml:1 a"]

    def test_a_folder_that_cannot_be_made_is_not_missed(self, here: Path) -> None:
        write(here / ".kctl", "a file")
        write(here / "a.yaml", config_map("a"))
        assert names("a.yaml", options=Options(cache=ParseCache(here / ".kctl"))) == ["a.yaml:1 a"]


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus is not beside the checkout")
@pytest.mark.parametrize(
    ("folder", "count"),
    [("microservices-demo", 35), ("bank-of-anthos", None), ("kube-prometheus", None), ("voting-app", 9)],
)
def test_real_manifests_are_read_completely(folder: str, count: int | None) -> None:
    found = manifests.load([str(CORPUS / folder)], recursive=True)
    assert count in (None, len(found))
    assert all(manifest.positions.place("metadata.name").line >= manifest.line for manifest in found)


def test_a_text_about_conflicts_is_no_conflict(tmp_path: Path) -> None:
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  help: |\n    <<<<<<< HEAD\n    =======\n"
    (found,) = manifests.load([str(write(tmp_path / "a.yaml", text + "    >>>>>>> x\n"))])
    assert "<<<<<<< HEAD" in found.object["data"]["help"]


def test_what_sops_encrypted_is_named_and_skipped_only_when_asked(tmp_path: Path) -> None:
    text = "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: {k: 'ENC[x]'}\nsops: {mac: x, version: 3.9.0}\n"
    file = str(write(tmp_path / "a.yaml", text))
    other = str(write(tmp_path / "b.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n"))
    with pytest.raises(ManifestErrors, match=r"a\.yaml:1: encrypted with SOPS"):
        manifests.load([file, other])
    assert [m.object["kind"] for m in manifests.load([file, other], options=Options(True))] == ["ConfigMap"]


def test_parsed_texts_of_long_ago_go(tmp_path, monkeypatch):
    monkeypatch.setattr(parsed, "KEPT", 4)
    cache = parsed.ParseCache(tmp_path)
    folder = tmp_path / "cache" / "parsed"
    for n in range(8):
        cache.put(f"1{n}", [(1, 1, {"n": n})])
        os.utime(folder / f"1{n}", ns=(n, n))
    cache.put("00", [(1, 1, {"n": 8})])
    assert sorted(path.name for path in folder.iterdir()) == ["00", "15", "16", "17"]
    assert cache.get("17") == [(1, 1, {"n": 7})]
    assert cache.get("10") is None
