"""No byte of the state folder shows a Secret's value, whatever brought it there and what became of it."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path
from typing import Any

import pytest

PLAIN = ("hunter2-first", "opensesame-second", "swordfish-third", "letmein-fourth", "trustno1-fifth")
FORMS = tuple(
    form
    for word in PLAIN
    for form in (word.encode(), base64.b64encode(word.encode()), word.encode().hex().encode(), word.encode("utf-16-le"))
)
SECRETS = f"""
apiVersion: v1
kind: List
items:
  - apiVersion: v1
    kind: Secret
    metadata:
      name: db
      annotations:
        kubectl.kubernetes.io/last-applied-configuration: '{{"kind":"Secret","stringData":{{"a":"{PLAIN[0]}"}}}}'
    stringData: {{password: {PLAIN[0]}}}
---
apiVersion: v1
kind: Secret
metadata: {{name: broken}}
type: kubernetes.io/tls
stringData: {{tls.crt: {PLAIN[1]}}}
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: settings}}
data: {{colour: blue}}
"""


def shown(folder: Path) -> list[str]:
    """Return where a value of a Secret can be read in clear."""
    found = []
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            data = path.read_bytes()
            found += [f"{path.relative_to(folder)}: {form!r}" for form in FORMS if form in data]
    return found


def wide_open(folder: Path) -> list[str]:
    """Return what others than the owner can read."""
    return [str(path) for path in folder.rglob("*") if not path.is_symlink() and path.stat().st_mode & 0o077]


@pytest.fixture
def used(kctl: Any) -> Any:
    """A cluster that Secrets came to by every command that brings some."""
    kctl.write("a/secrets.yaml", SECRETS.replace("tls.crt", "tls.crt: eA==, tls.key"))
    kctl("apply", "-f", "a")
    kctl("create", "secret", "generic", "made", f"--from-literal=token={PLAIN[2]}")
    kctl("patch", "secret", "made", "-p", f'{{"stringData":{{"more":"{PLAIN[3]}"}}}}')
    kctl.write("b/secrets.yaml", SECRETS)
    kctl("apply", "-f", "b", code=None)  # tls.key is missing: what is said about it quotes no value
    kctl.write("repo/c.yaml", SECRETS.split("---")[0].replace("name: db", "name: synced").replace(PLAIN[0], PLAIN[4]))
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.com", "-C", "repo"]
    for args in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "c"]):
        subprocess.run([*git, *args], cwd=kctl.folder, env=kctl.environ, check=True, capture_output=True)
    kctl("sync", "repo")
    return kctl


def test_no_secret_lies_in_clear_in_the_state_folder(used: Any) -> None:
    state = used.folder / ".kctl"
    assert used("get", "secrets", "-o", "name").out.split() == [
        "secret/broken",
        "secret/db",
        "secret/made",
        "secret/synced",
    ]
    assert b"blue" in (state / "store" / "log.db").read_bytes() + (state / "store" / "log.db-wal").read_bytes()
    assert shown(state) == []
    assert wide_open(state) == []
    used("store", "key", "rotate")
    assert shown(state) == []
    used("store", "key", "rotate", "--forget", "--yes")
    assert shown(state) == []
    used("store", "snapshot", "state.snapshot")
    assert shown(used.folder / ".kctl") == []
    assert not any(form in (used.folder / "state.snapshot").read_bytes() for form in FORMS)
    used("delete", "secret", "--all")
    used("store", "compact", "--yes")
    assert shown(state) == []


def test_secrets_are_what_they_were_after_rotation(used: Any) -> None:
    before = used("get", "secrets", "-o", "json", "--show-secrets").json()["items"]
    used("store", "key", "rotate", "--forget", "--yes")
    after = used("get", "secrets", "-o", "json", "--show-secrets").json()["items"]
    assert [(s["metadata"]["name"], s["data"]) for s in after] == [(s["metadata"]["name"], s["data"]) for s in before]
    decoded = {base64.b64decode(value).decode() for secret in after for value in secret["data"].values()}
    assert {PLAIN[0], PLAIN[2], PLAIN[3], PLAIN[4]} <= decoded
    used("apply", "-f", "a")
    assert used("store", "verify", "--full").out.startswith("clean")
