"""kctl apply: every form of output, dry runs, prune and its guards, conflicts, validation, warnings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from kctl import ControlPlane
from kctl.plan import report

SCHEMA = json.loads(Path(report.__file__).with_name("report.schema.json").read_text(encoding="utf-8"))
CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\ndata: {colour: %s}\n"
MISSPELT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      nodeSelector:
        beta.kubernetes.io/os: linux
      containers:
        - name: web
          image: example/web:1
          imag: example/web:2
"""


def checked(document: Any) -> Any:
    jsonschema.Draft202012Validator(SCHEMA).validate(document)
    return document


def test_the_report_as_text_ends_in_the_verdict(kctl: Any) -> None:
    kctl.write("a.yaml", CONFIG % ("a", "red"))
    out = kctl("apply", "-f", "a.yaml").out
    assert out.startswith("Intent\n  configmap/a created  (a.yaml:1)\n")
    assert out.splitlines()[-1].startswith("Converged after 0 s (virtual), revision ")
    assert "\033" not in out


def test_the_first_apply_says_on_stderr_that_it_made_a_cluster(kctl: Any) -> None:
    kctl.write("a.yaml", CONFIG % ("a", "red"))
    assert kctl("apply", "-f", "a.yaml", "-o", "json").err == "created a cluster of 3 nodes in .kctl\n"


@pytest.mark.parametrize(
    "args", [["apply", "-f", "shop.yaml"], ["converge"], ["converge", "--full"], ["advance", "10m"]], ids=" ".join
)
def test_the_report_as_json_is_as_its_schema_says(shop: Any, args: list[str]) -> None:
    document = checked(shop(*args, "-o", "json").json())
    assert document["verdict"] == "Converged"


def test_a_first_report_with_everything_in_it_is_as_its_schema_says(kctl: Any, made: Path) -> None:
    document = checked(kctl("apply", "-f", str(made / "shop.yaml"), "-o", "json").json())
    assert {record["type"] for record in document["consequence"]} >= {"pods", "nodes", "loadBalancer", "objects"}
    assert {entry["change"] for entry in document["intent"]} == {"created"}


def test_the_report_as_yaml_holds_what_the_one_as_json_holds(shop: Any) -> None:
    from kctl.gitops import yaml

    found = shop("apply", "-f", "shop.yaml", "-o", "yaml").out
    assert found.startswith("apiVersion: kctl.dev/v1\n")
    assert yaml.dump(shop("apply", "-f", "shop.yaml", "-o", "json").json()) == found


def test_output_name_lists_the_objects_and_nothing_else(shop: Any) -> None:
    assert shop("apply", "-f", "shop.yaml", "-o", "name").out.splitlines() == [
        "namespace/shop",
        "secret/keys",
        "configmap/settings",
        "deployment.apps/web",
        "service/web",
    ]


def test_changes_are_shown_field_by_field_unless_not_wanted(shop: Any) -> None:
    text = (shop.folder / "shop.yaml").read_text(encoding="utf-8").replace("blue", "green")
    shop.write("shop.yaml", text)
    dry = shop("apply", "-f", "shop.yaml", "--dry-run", "--no-diff").out
    assert dry.splitlines()[2] == "shop/configmap/settings configured (dry run)  (shop.yaml:11)"
    assert "data.colour" not in dry
    out = shop("apply", "-f", "shop.yaml").out
    assert "      ~ data.colour: blue -> green\n" in out


@pytest.mark.parametrize("flag", ["--dry-run", "--dry-run=client", "--dry-run=server"])
def test_a_dry_run_writes_nothing(kctl: Any, flag: str) -> None:
    kctl.write("a.yaml", CONFIG % ("a", "red"))
    assert kctl("apply", "-f", "a.yaml", flag).out == "configmap/a created (dry run)  (a.yaml:1)\n"
    assert not (kctl.folder / ".kctl").exists()


def test_a_dry_run_as_json_and_names(kctl: Any) -> None:
    kctl.write("a.yaml", CONFIG % ("a", "red"))
    document = kctl("apply", "-f", "a.yaml", "--dry-run", "-o", "json").json()
    assert (document["kind"], document["intent"][0]["change"], document["warnings"]) == ("Changes", "created", [])
    assert kctl("apply", "-f", "a.yaml", "--dry-run", "-o", "name").out == "configmap/a\n"


def test_manifests_from_standard_input(kctl: Any) -> None:
    kctl("apply", "-f", "-", stdin=CONFIG % ("a", "red"))
    assert kctl("get", "cm", "a", "-o", "json").json()["data"] == {"colour": "red"}


def test_prune_deletes_what_the_set_no_longer_has(kctl: Any) -> None:
    kctl.write("set/a.yaml", CONFIG % ("a", "red"))
    kctl.write("set/b.yaml", CONFIG % ("b", "red"))
    kctl("apply", "-f", "set")
    (kctl.folder / "set/b.yaml").unlink()
    assert "configmap/b" not in kctl("apply", "-f", "set").out
    assert "  configmap/b pruned\n" in kctl("apply", "-f", "set", "--prune").out
    assert "configmap/b" not in kctl("get", "cm", "-o", "name").out


def test_a_prune_of_what_has_content_has_to_be_confirmed(kctl: Any) -> None:
    inside = CONFIG.replace("name: %s", "name: %s, namespace: team")
    kctl.write("set/a.yaml", CONFIG % ("a", "red"))
    kctl.write("set/ns.yaml", "apiVersion: v1\nkind: Namespace\nmetadata: {name: team}\n")
    kctl.write("other.yaml", inside % ("b", "red"))
    kctl("apply", "-f", "set")
    kctl("apply", "-f", "other.yaml")
    (kctl.folder / "set/ns.yaml").unlink()
    refused = kctl("apply", "-f", "set", "--prune", code=4)
    assert refused.err == (
        'error: this would prune what has content or is to be confirmed: namespaces "team" (1 objects in it)\n'
        "hint: --prune-confirm does it all the same\n"
    )
    assert "namespace/team" in kctl("get", "ns", "-o", "name").out
    kctl("apply", "-f", "set", "--prune", "--prune-confirm")
    assert "namespace/team" not in kctl("get", "ns", "-o", "name").out


def test_a_field_of_another_manager_is_a_conflict_until_forced(kctl: Any) -> None:
    kctl("init")
    mine = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"colour": "blue"}}
    with ControlPlane.open(kctl.folder / ".kctl") as plane:
        path = "/api/v1/namespaces/default/configmaps/a?fieldManager=somebody&force=true"
        answer = plane.request("PATCH", path, {**mine}, content_type="application/apply-patch+yaml")
        assert answer.status == 201
    kctl.write("a.yaml", CONFIG % ("a", "red"))
    refused = kctl("apply", "-f", "a.yaml", code=1)
    assert refused.err.startswith('a.yaml:4: configmaps "a": data.colour: conflict with "somebody"')
    assert "--force-conflicts" in refused.err
    assert kctl("get", "cm", "a", "-o", "json").json()["data"] == {"colour": "blue"}
    kctl("apply", "-f", "a.yaml", "--force-conflicts")
    assert kctl("get", "cm", "a", "-o", "json").json()["data"] == {"colour": "red"}


def test_the_owner_of_the_fields_may_be_named(kctl: Any) -> None:
    kctl.write("a.yaml", CONFIG % ("a", "red"))
    kctl("apply", "-f", "a.yaml", "--field-manager", "ci")
    managers = kctl.get("cm", "a", "--show-managed-fields")["metadata"]["managedFields"]
    assert [(entry["manager"], entry["operation"]) for entry in managers] == [("ci", "Apply")]
    assert kctl("diff").out == ""
    kctl.write("a.yaml", CONFIG % ("a", "blue"))
    assert 'conflict with "ci"' in kctl("apply", "-f", "a.yaml", code=1).err
    kctl("apply", "-f", "a.yaml", "--field-manager=ci")


def test_an_unknown_field_is_an_error_with_its_line(kctl: Any) -> None:
    kctl.write("web.yaml", MISSPELT)
    ran = kctl("apply", "-f", "web.yaml", code=1)
    assert ran.err == 'web.yaml:15: deployments.apps "web": spec.template.spec.containers[0].imag: unknown field\n'
    assert ran.out == ""


def test_unknown_fields_are_warnings_where_wanted_and_left_out(kctl: Any) -> None:
    kctl.write("web.yaml", MISSPELT)
    document = checked(kctl("apply", "-f", "web.yaml", "--validate=warn", "-o", "json").json())
    assert document["warnings"] == [
        'web.yaml:11: deployments.apps "web": spec.template.spec.nodeSelector[beta.kubernetes.io/os]: '
        'deprecated since v1.14; use "kubernetes.io/os" instead',
        'web.yaml:15: deployments.apps "web": unknown field "spec.template.spec.containers[0].imag"',
    ]
    assert "example/web:2" not in kctl("get", "deploy", "web", "-o", "json").out


@pytest.mark.parametrize("value", ["ignore", "false"])
def test_unknown_fields_are_left_out_silently_where_wanted(kctl: Any, value: str) -> None:
    kctl.write("web.yaml", MISSPELT)
    document = kctl("apply", "-f", "web.yaml", f"--validate={value}", "-o", "json").json()
    assert [text for text in document["warnings"] if "imag" in text] == []


def test_warnings_stand_in_the_text_and_beside_names(kctl: Any) -> None:
    kctl.write("web.yaml", MISSPELT.replace("          imag: example/web:2\n", ""))
    dry = kctl("apply", "-f", "web.yaml", "--dry-run", "-o", "name")
    assert dry.out == "deployment.apps/web\n"
    assert dry.err.startswith('Warning: web.yaml:11: deployments.apps "web": ')
    assert '\nWarnings\n  web.yaml:11: deployments.apps "web": ' in kctl("apply", "-f", "web.yaml").out


def test_what_does_not_fit_settles_with_exit_code_3(kctl: Any) -> None:
    pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: big}\nspec:\n  containers:\n"
    kctl.write("big.yaml", pod + "    - {name: a, image: a, resources: {requests: {cpu: 100}}}\n")
    document = checked(kctl("apply", "-f", "big.yaml", "-o", "json", code=3).json())
    assert document["verdict"] == "Settled"
    assert document["residual"][0]["reason"] == "Unschedulable"
    assert kctl("converge", code=3).out.splitlines()[-1].startswith("Settled after ")
    assert kctl("status", code=3).out.startswith("pod/big Failed: Unschedulable: 0/3 nodes are available")


@pytest.mark.parametrize(
    ("args", "code", "text"),
    [
        (["apply"], 2, "error: Missing option '-f' / '--filename'."),
        (["apply", "-f", "no.yaml"], 1, "no.yaml: "),
        (["apply", "-k", ".", "-f", "a.yaml"], 2, "kustomizations are not built yet"),
        (["apply", "-f", "a.yaml", "--timeout", "soon"], 2, "'soon' is not a duration"),
        (["apply", "-f", "a.yaml", "-o", "table"], 2, "'table' is not one of"),
    ],
)
def test_errors(kctl: Any, args: list[str], code: int, text: str) -> None:
    kctl.write("a.yaml", CONFIG % ("a", "red"))
    ran = kctl(*args, code=code)
    assert text in ran.err
    assert ran.out == ""


def test_an_annotation_keeps_an_object_or_asks_for_a_confirmation(kctl: Any) -> None:
    kept = CONFIG.replace("name: %s", "name: %s, annotations: {kctl.dev/prune: %s}")
    kctl.write("set/a.yaml", CONFIG % ("a", "red"))
    kctl.write("set/b.yaml", kept % ("b", "disabled", "red"))
    kctl.write("set/c.yaml", kept % ("c", "confirm", "red"))
    kctl("apply", "-f", "set")
    for name in "bc":
        (kctl.folder / f"set/{name}.yaml").unlink()
    assert 'configmaps "c" (kctl.dev/prune: confirm)' in kctl("apply", "-f", "set", "--prune", code=4).err
    assert "  configmap/c pruned\n" in kctl("apply", "-f", "set", "--prune", "--prune-confirm").out
    assert "configmap/b" in kctl("get", "cm", "-o", "name").out
    kctl("annotate", "cm", "b", "kctl.dev/prune-")
    assert "  configmap/b pruned\n" in kctl("apply", "-f", "set", "--prune").out


CLAIM = """
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
"""
USER = """
apiVersion: v1
kind: Pod
metadata: {name: db}
spec:
  containers: [{name: c, image: x}]
  volumes: [{name: d, persistentVolumeClaim: {claimName: data}}]
"""


def test_a_claim_that_pods_use_is_not_pruned_without_a_word(kctl: Any) -> None:
    kctl.write("set/a.yaml", CONFIG % ("a", "red"))
    kctl.write("set/claim.yaml", CLAIM)
    kctl.write("db.yaml", USER)
    kctl("apply", "-f", "set", code=None)
    kctl("apply", "-f", "db.yaml", code=None)
    (kctl.folder / "set/claim.yaml").unlink()
    refused = kctl("apply", "-f", "set", "--prune", code=4)
    assert 'persistentvolumeclaims "data" (bound to a volume)' in refused.err
    assert kctl("get", "pvc", "-o", "name").out == "persistentvolumeclaim/data\n"
