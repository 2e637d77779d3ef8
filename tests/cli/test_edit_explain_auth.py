"""``edit``, ``explain`` and ``auth``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kctl.api.errors import KctlError
from kctl.cli import edit as editing


class Editor:
    """Takes the place of an editor: each session replaces texts, and what was shown is kept."""

    def __init__(self, *sessions: Any) -> None:
        self.shown: list[str] = []
        self._sessions = list(sessions)

    def __call__(self, text: str, **_: Any) -> str:
        self.shown.append(text)
        change = self._sessions.pop(0) if self._sessions else (lambda text: text)
        return str(change(text))


def replacing(old: str, new: str) -> Any:
    """Return a session that replaces a text."""

    def session(text: str) -> str:
        assert old in text
        return text.replace(old, new)

    return session


def use(monkeypatch: pytest.MonkeyPatch, *sessions: Any) -> Editor:
    """Make the next sessions of the editor these."""
    editor = Editor(*sessions)
    monkeypatch.setattr("click.edit", editor)
    return editor


def test_what_was_changed_is_written(web: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    editor = use(monkeypatch, replacing("\n  replicas: 3\n", "\n  replicas: 2\n"))
    assert web("edit", "deploy/web").out == "deployment.apps/web edited\n"
    assert editor.shown[0].startswith("# Please edit the object below.")
    assert "managedFields" not in editor.shown[0]
    assert len(web.get("pods")["items"]) == 2


def test_what_is_not_valid_is_opened_again_with_the_reason(web: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    editor = use(
        monkeypatch,
        replacing("\n  replicas: 3\n", "\n  replicas: -3\n"),
        replacing("\n  replicas: -3\n", "\n  replicas: [\n"),
        replacing("\n  replicas: [\n", "\n  replicas: 1\n"),
    )
    assert web("edit", "deploy/web").out == "deployment.apps/web edited\n"
    assert '# deployments.apps "web" was not valid:\n# * spec.replicas: Invalid value: -3: must be' in editor.shown[1]
    assert "# The edited file had a syntax error: line " in editor.shown[2]
    assert web.get("deploy", "web")["spec"]["replicas"] == 1


@pytest.mark.parametrize(
    ("sessions", "code", "err"),
    [
        ([], 0, "Edit cancelled, no changes made.\n"),
        ([lambda _: ""], 0, "Edit cancelled, saved file was empty.\n"),
        ([replacing("  name: web\n", "  name: other\n")], 1, "error: Edit cancelled, no valid changes were saved.\n"),
    ],
)
def test_leaving_the_editor(web: Any, monkeypatch: pytest.MonkeyPatch, sessions: Any, code: int, err: str) -> None:
    use(monkeypatch, *sessions)
    before = web.get("deploy", "web")
    ran = web("edit", "deploy/web", code=code)
    assert (ran.out, ran.err) == ("", err)
    assert web.get("deploy", "web") == before


def test_masked_values_stay_as_they_are(web: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("s.yaml").write_text(
        "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: b, c: d}\n", encoding="utf-8"
    )
    web("apply", "-f", "s.yaml")
    editor = use(monkeypatch, replacing("c: '***'", "c: ZQ=="))
    web("edit", "secret/s")
    assert "Yg==" not in editor.shown[0]
    assert web.get("secret", "s", "--show-secrets")["data"] == {"a": "Yg==", "c": "ZQ=="}


def test_the_difference_is_a_merge_patch() -> None:
    before = {"apiVersion": "v1", "kind": "X", "metadata": {"name": "a", "labels": {"x": "1", "y": "2"}}, "spec": [1]}
    after = {"apiVersion": "v1", "kind": "X", "metadata": {"name": "a", "labels": {"x": "3"}}, "spec": [1, 2]}
    assert editing.difference(before, after) == {"metadata": {"labels": {"x": "3", "y": None}}, "spec": [1, 2]}
    with pytest.raises(KctlError, match="At least one of apiVersion, kind and name was changed"):
        editing.difference(before, {**after, "kind": "Y"})


def test_explain_a_kind(kctl: Any) -> None:
    text = kctl("explain", "deployments").out
    assert text.startswith(
        "GROUP:      apps\nKIND:       Deployment\nVERSION:    v1\n\nDESCRIPTION:\n"
        "    Deployment enables declarative updates for Pods and ReplicaSets.\n    \nFIELDS:\n  apiVersion\t<string>\n"
    )
    assert "  metadata\t<ObjectMeta>\n" in text
    assert all(len(line) <= 80 or " " not in line.strip() for line in text.splitlines())


@pytest.mark.parametrize(
    ("what", "lines"),
    [
        ("pod.spec.containers", ["FIELD: containers <[]Container>", "  name\t<string> -required-"]),
        ("pods.spec.containers.resources", ["  limits\t<map[string]Quantity>"]),
        ("deploy.spec.strategy.rollingUpdate", ["  maxSurge\t<IntOrString>"]),
        ("deployments.apps.spec.replicas", ["FIELD: replicas <integer>"]),
        ("cm.data", ["FIELD: data <map[string]string>"]),
    ],
)
def test_explain_fields(kctl: Any, what: str, lines: list[str]) -> None:
    text = kctl("explain", what).out.splitlines()
    assert [line for line in lines if line in text] == lines


def test_explain_recursively_without_end(kctl: Any) -> None:
    assert kctl("explain", "deploy.spec.strategy", "--recursive").out.endswith(
        "FIELDS:\n  rollingUpdate\t<RollingUpdateDeployment>\n    maxSurge\t<IntOrString>\n"
        "    maxUnavailable\t<IntOrString>\n  type\t<string>\n\n"
    )
    assert "    openAPIV3Schema" not in kctl("explain", "crd").out
    assert "openAPIV3Schema\t<JSONSchemaProps>" in kctl("explain", "crd", "--recursive").out


def test_explain_another_version(kctl: Any) -> None:
    assert "VERSION:    v1\n" in kctl("explain", "hpa", "--api-version=autoscaling/v1").out
    assert "couldn't find resource" in kctl("explain", "hpa", "--api-version=autoscaling/v9", code=2).err


@pytest.mark.parametrize(
    ("what", "code", "text"),
    [
        ("nothing", 2, 'error: the server doesn\'t have a resource type "nothing"\n'),
        ("pod.nothing", 1, 'error: field "nothing" does not exist\n'),
        ("intents", 1, "error: Intent of kctl.dev/v1 has no schema: its fields are kept as they are\n"),
    ],
)
def test_explain_what_is_not_there(kctl: Any, what: str, code: int, text: str) -> None:
    assert kctl("explain", what, code=code).err == text


def test_the_admin_may_do_everything(kctl: Any) -> None:
    kctl("init")
    assert kctl("auth", "can-i", "create", "pods")[1:] == ("yes\n", "")
    assert kctl("auth", "can-i", "delete", "deploy/web", "-q")[1:] == ("", "")
    assert kctl("auth", "can-i", "get", "/healthz").out == "yes\n"
    assert kctl("auth", "can-i", "get", "nodes").err == "Warning: resource 'nodes' is not namespace scoped\n"
    assert kctl("auth", "can-i", "x", "y").err == "Warning: the server doesn't have a resource type 'y'\n"
    assert ["*.*", "[]", "[]", "[*]"] in [line.split() for line in kctl("auth", "can-i", "--list").out.splitlines()]
    assert "you must specify two arguments" in kctl("auth", "can-i", "create", code=2).err
    assert kctl("auth", "whoami").out.splitlines()[1].split() == ["Username", "kubernetes-admin"]
    assert kctl("auth", "whoami", "-o", "json").json()["status"]["userInfo"]["username"] == "kubernetes-admin"


def test_others_may_do_what_their_roles_say(kctl: Any) -> None:
    kctl("init")
    assert kctl("auth", "can-i", "get", "pods", "--as", "jane", code=1).out == "no\n"
    kctl("create", "rolebinding", "b", "--clusterrole=view", "--user=jane")
    assert kctl("auth", "can-i", "get", "pods", "--as", "jane").out == "yes\n"
    assert kctl("auth", "can-i", "get", "pods", "--as", "jane", "-n", "kube-system", code=1).out == "no\n"
    assert kctl("auth", "can-i", "get", "secrets", "--as", "jane", code=1).out == "no\n"
    assert kctl("auth", "can-i", "get", "secrets", "--as", "jane", "--as-group", "system:masters").out == "yes\n"
    shown = [line.split() for line in kctl("auth", "can-i", "--list", "--as", "jane").out.splitlines()]
    assert ["deployments.apps/scale", "[]", "[]", "[get", "list", "watch]"] in shown
    assert kctl("auth", "whoami", "--as", "jane", "--as-uid", "7").out.splitlines()[1:] == [
        "Username    jane",
        "UID         7",
        "Groups      [system:authenticated]",
    ]


def test_a_binding_without_its_role_is_said_to_be_the_reason(kctl: Any) -> None:
    kctl("init")
    kctl("create", "rolebinding", "b", "--role=gone", "--user=jane")
    why = 'no - RBAC: role.rbac.authorization.k8s.io "gone" not found\n'
    assert kctl("auth", "can-i", "get", "pods", "--as", "jane", code=1).out == why


@pytest.mark.parametrize("name", ["logs", "exec", "attach", "port-forward", "cp"])
def test_containers_are_not_run(kctl: Any, name: str) -> None:
    ran = kctl(name, "web", code=1)
    assert "kctl simulates pods and runs no containers" in ran.err
