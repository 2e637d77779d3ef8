"""``scale``, ``label``, ``annotate``, ``patch``: kubectl's words, and what they leave behind."""

from __future__ import annotations

from typing import Any

import pytest

from kctl.cli import marks


def test_scale_sets_replicas_and_the_cluster_follows(web: Any) -> None:
    assert web("scale", "deploy/web", "--replicas=5").out == "deployment.apps/web scaled\n"
    assert len(web.get("pods")["items"]) == 5
    assert web("scale", "deploy/web", "--replicas=1", "--no-wait").code == 0
    assert len(web.get("pods")["items"]) == 5


@pytest.mark.parametrize(
    ("args", "code", "text"),
    [
        (("deploy/web",), 2, "The --replicas=COUNT flag is required, and COUNT must be greater than or equal to 0"),
        (("deploy/web", "--replicas=2147483648"), 2, "--replicas=2147483648 is out of range"),
        (("deploy/web", "--replicas=5", "--current-replicas=2"), 1, "error: Expected replicas to be 2, was 3\n"),
        (("deploy/no", "--replicas=5"), 1, 'Error from server (NotFound): deployments.apps "no" not found\n'),
        (("svc/kubernetes", "--replicas=5"), 1, "the server could not find the requested resource"),
        (("sts", "--all", "--replicas=5"), 1, "error: no objects passed to scale\n"),
        (("deploy", "--replicas=5"), 2, "resource(s) were provided, but no name was specified"),
        (("deploy/web", "--replicas=5", "--resource-version=1"), 1, "Expected resource version to be 1, was "),
        (("deploy/web", "-l", "a=b", "--replicas=5"), 2, "name cannot be provided when a selector is specified"),
    ],
)
def test_scale_refuses(web: Any, args: tuple[str, ...], code: int, text: str) -> None:
    ran = web("scale", *args, code=code)
    assert text in ran.err
    assert ran.out == ""
    assert web.get("deploy", "web")["spec"]["replicas"] == 3


@pytest.mark.parametrize(("dry_run", "suffix"), [("client", " (dry run)"), ("server", " (server dry run)")])
@pytest.mark.parametrize(
    ("args", "line"),
    [
        (("scale", "deploy/web", "--replicas=5"), "scaled"),
        (("label", "deploy/web", "a=b"), "labeled"),
        (("annotate", "deploy/web", "a=b"), "annotated"),
        (("patch", "deploy/web", "-p", "spec: {replicas: 5}"), "patched"),
    ],
)
def test_a_dry_run_says_so_and_writes_nothing(
    web: Any, args: tuple[str, ...], line: str, dry_run: str, suffix: str
) -> None:
    before = web.get("deploy", "web")
    assert web(*args, f"--dry-run={dry_run}").out == f"deployment.apps/web {line}{suffix}\n"
    assert web.get("deploy", "web") == before


def test_output_is_the_object_or_its_name(web: Any) -> None:
    assert web("scale", "deploy/web", "--replicas=4", "-o", "name").out == "deployment.apps/web\n"
    assert web("scale", "deploy/web", "--replicas=5", "-o", "json").json()["spec"]["replicas"] == 5
    shown = web("label", "deploy/web", "a=b", "-o", "json").json()
    assert shown["metadata"]["labels"] == {"a": "b"}
    assert "managedFields" not in shown["metadata"]


def test_labels_are_set_kept_and_taken_away(web: Any) -> None:
    assert web("label", "deploy", "web", "a=b", "c=d").out == "deployment.apps/web labeled\n"
    refused = web("label", "deploy", "web", "a=x", code=1)
    assert refused.err == "error: 'a' already has a value (b), and --overwrite is false\n"
    assert web("label", "deploy", "web", "a=x", "--overwrite").out == "deployment.apps/web labeled\n"
    assert web("label", "deploy/web", "--list").out == "a=x\nc=d\n"
    assert web("label", "deploy/web", "c-").out == "deployment.apps/web unlabeled\n"
    assert web("label", "deploy/web", "c-").out == 'label "c" not found.\ndeployment.apps/web not labeled\n'
    assert web.get("deploy", "web")["metadata"]["labels"] == {"a": "x"}


def test_many_objects_are_labeled_and_one_refusal_stops_no_other(web: Any) -> None:
    pods = [pod["metadata"]["name"] for pod in web.get("pods")["items"]]
    web("label", "pod", pods[0], "tier=x")
    ran = web("label", "pods", "-l", "app=web", "tier=y", code=1)
    assert ran.out == "".join(f"pod/{name} labeled\n" for name in pods[1:])
    assert "'tier' already has a value (x)" in ran.err


def test_annotations_are_set_kept_and_taken_away(web: Any) -> None:
    assert web("annotate", "deploy/web", "k=v=1").out == "deployment.apps/web annotated\n"
    refused = web("annotate", "deploy/web", "k=w", code=1)
    assert (
        refused.err
        == "error: --overwrite is false but found the following declared annotation(s): 'k' already has a value (v=1)\n"
    )
    web("annotate", "deploy/web", "kubernetes.io/change-cause=one")
    web("annotate", "deploy/web", "kubernetes.io/change-cause=two")
    web("annotate", "deploy/web", "k-")
    found = web.get("deploy", "web")["metadata"]["annotations"]
    assert "k" not in found
    assert found["kubernetes.io/change-cause"] == "two"


@pytest.mark.parametrize(
    ("specs", "text"),
    [
        (["a=b=c"], "invalid label spec: a=b=c"),
        (["a=b?"], 'invalid label value: "a=b?": a valid label must be an empty string'),
        (["a=b", "a-"], "can not both modify and remove a label in the same command"),
    ],
)
def test_malformed_labels_are_refused(specs: list[str], text: str) -> None:
    with pytest.raises(Exception, match="label") as caught:
        marks.parse_labels(specs)
    assert text in str(caught.value)


@pytest.mark.parametrize(
    ("before", "after", "overwrite", "said"),
    [
        ({}, {}, False, "not labeled"),
        ({}, {"a": "b"}, False, "labeled"),
        ({"a": "b"}, {}, False, "unlabeled"),
        ({"a": "bbb"}, {"a": "b"}, True, "labeled"),
    ],
)
def test_the_word_for_a_label_change(before: Any, after: Any, overwrite: bool, said: str) -> None:
    assert marks.label_operation(before, after, overwrite) == said


@pytest.mark.parametrize(
    ("args", "line"),
    [
        (("-p", '{"spec":{"replicas":2}}'), "deployment.apps/web patched\n"),
        (("--type=merge", "-p", "spec: {replicas: 2}"), "deployment.apps/web patched\n"),
        (
            ("--type=json", "-p", '[{"op":"replace","path":"/spec/replicas","value":2}]'),
            "deployment.apps/web patched\n",
        ),
        (("--subresource=scale", "--type=merge", "-p", '{"spec":{"replicas":2}}'), "scale.autoscaling/web patched\n"),
    ],
)
def test_every_kind_of_patch(web: Any, args: tuple[str, ...], line: str) -> None:
    assert web("patch", "deploy/web", *args).out == line
    assert len(web.get("pods")["items"]) == 2


def test_a_strategic_patch_merges_containers_by_name(web: Any) -> None:
    patch = '{"spec":{"template":{"spec":{"containers":[{"name":"side","image":"busybox"}]}}}}'
    web("patch", "deploy/web", "-p", patch)
    found = web.get("deploy", "web")["spec"]["template"]["spec"]["containers"]
    assert sorted(container["name"] for container in found) == ["side", "web"]
    assert web("patch", "deploy/web", "-p", patch).out == "deployment.apps/web patched (no change)\n"


@pytest.mark.parametrize(
    ("args", "code", "text"),
    [
        ((), 2, "must specify --patch or --patch-file containing the contents of the patch"),
        (("-p", "{}", "--patch-file", "x"), 2, "cannot specify --patch and --patch-file together"),
        (("--patch-file", "missing"), 2, "unable to read patch file"),
        (("-p", "{a: ["), 2, 'unable to parse "{a: [": '),
        (("-p", '{"spec":{"replicas":-1}}'), 1, "Invalid value: -1: must be greater than or equal to 0"),
    ],
)
def test_patch_refuses(web: Any, args: tuple[str, ...], code: int, text: str) -> None:
    assert text in web("patch", "deploy/web", *args, code=code).err


def test_a_secret_is_masked_in_what_a_patch_prints(kctl: Any) -> None:
    kctl("init")
    with open("s.yaml", "w", encoding="utf-8") as file:  # noqa: PTH123
        file.write("apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: b}\n")
    kctl("apply", "-f", "s.yaml")
    assert kctl("patch", "secret/s", "-p", "stringData: {a: c}", "-o", "json").json()["data"] == {"a": "***"}
    shown = kctl("patch", "secret/s", "-p", "stringData: {a: d}", "-o", "json", "--show-secrets").json()
    assert shown["data"] == {"a": "ZA=="}


def test_an_error_quotes_no_secret_that_is_not_to_be_shown(kctl: Any) -> None:
    kctl("init")
    kctl.write("s.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: hunter2}\n")
    kctl("apply", "-f", "s.yaml")
    wrong = ("patch", "secret/s", "--type=merge", "-p", '{"data":{"b":{"c":1}}}')
    err = kctl(*wrong, code=1).err
    assert err.startswith('The request is invalid: patch: Invalid value: "***": json: cannot unmarshal object')
    assert "aHVudGVyMg==" in kctl(*wrong, "--show-secrets", code=1).err


def test_what_is_invalid_is_said_as_kubectl_says_it(web: Any) -> None:
    one = web("patch", "deploy/web", "-p", '{"spec":{"replicas":-1}}', code=1).err
    assert one == (
        'The Deployment "web" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0\n'
    )
    two = web("patch", "deploy/web", "-p", '{"spec":{"replicas":-1,"minReadySeconds":-1}}', code=1).err.splitlines()
    assert two[0] == 'The Deployment "web" is invalid: '
    assert sorted(line.partition(":")[0] for line in two[1:]) == ["* spec.minReadySeconds", "* spec.replicas"]
    none = web("patch", "deploy/web", "--type=json", "-p", '[{"op":"remove","path":"/spec/x/y"}]', code=1).err
    assert none == "The request is invalid: the server rejected our request due to an error in our request\n"


def test_a_change_is_made_again_on_what_another_process_wrote_meanwhile(web: Any) -> None:
    from kctl.cli import targets, writing
    from kctl.cli.session import Settings, open_existing

    tries = []

    def step(said: writing.Said) -> None:
        found = targets.find(plane, ["deploy/web"], targets.Choice())
        tries.append(dict(found.targets[0].object["metadata"].get("labels") or {}))
        if len(tries) == 1:
            assert web("label", "deploy/web", "other=first", "--no-wait").code == 0
        client = writing.client_of(plane, writing.How())
        said.did(client.patch("deployments.apps", found.targets[0].key, {"metadata": {"labels": {"own": "x"}}}), "done")

    with open_existing(Settings(None, 0)) as plane:
        said = writing.durably(plane, writing.How(cause="test"), step)
    assert tries == [{}, {"other": "first"}]
    assert said.text == "deployment.apps/web done\n"
    assert web.get("deploy", "web")["metadata"]["labels"] == {"other": "first", "own": "x"}
