"""Commits as sets, repositories that mean harm, and the post-commit hook."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kctl.api.errors import KctlError, Refused, UsageError
from kctl.gitops import hooks, manifests, pushes
from kctl.gitops.git import Repository
from kctl.gitops.manifests import Options
from kctl.gitops.parsed import ParseCache
from kctl.gitops.sources import ManifestErrors
from kctl.gitops.sync import Synced, sync_commit

COMMAND = [sys.executable, "-m", "kctl"]


def config_map(name: str) -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n"


class Repo:
    """A repository made with the git command."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()
        self.git("init", "-q", "-b", "main")

    def git(self, *arguments: str, stdin: bytes = b"", check: bool = True, **env: str) -> str:
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.path,
            input=stdin,
            capture_output=True,
            check=check,
            env={
                **os.environ,
                "GIT_AUTHOR_NAME": "Ann",
                "GIT_AUTHOR_EMAIL": "ann@example.com",
                "GIT_COMMITTER_NAME": "Ann",
                "GIT_COMMITTER_EMAIL": "ann@example.com",
                "GIT_AUTHOR_DATE": "2026-02-03T04:05:06Z",
                "GIT_CONFIG_GLOBAL": "/dev/null",
                **env,
            },
        )
        return (done.stdout + done.stderr).decode()

    def commit(self, files: dict[str, str], message: str = "change") -> str:
        for name, text in files.items():
            (self.path / name).parent.mkdir(parents=True, exist_ok=True)
            (self.path / name).write_text(text, encoding="utf-8")
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)
        return self.git("rev-parse", "HEAD").strip()

    def commit_tree(self, entries: bytes) -> str:
        """Commit a tree that git itself would not make."""
        tree = self.git("mktree", "-z", "--missing", stdin=entries).strip()
        return self.git("commit-tree", tree, "-m", "odd").strip()


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repo:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    return Repo(tmp_path / "shop")


def names(synced: Synced) -> list[str]:
    return [f"{manifest.place()} {manifest.object['metadata']['name']}" for manifest in synced.manifests]


class TestSync:
    def test_a_commit_is_read_and_not_the_working_tree(self, repo: Repo) -> None:
        first = repo.commit(
            {"a.yaml": config_map("a"), "deep/er/b.yml": config_map("b"), "notes.md": "x"}, "One\n\nmore"
        )
        repo.commit({"a.yaml": config_map("changed")})
        (repo.path / "a.yaml").write_text("broken: [", encoding="utf-8")
        synced = sync_commit(str(repo.path), first)
        assert names(synced) == ["a.yaml:1 a", "deep/er/b.yml:1 b"]
        assert synced.commit == (first, "Ann <ann@example.com>", "2026-02-03T04:05:06Z", "One")
        assert synced.source["commit"] == first
        assert names(sync_commit(str(repo.path)))[0] == "a.yaml:1 changed"

    def test_a_folder_of_the_commit_is_a_set_of_its_own(self, repo: Repo) -> None:
        repo.commit({"a.yaml": config_map("a"), "apps/b.yaml": config_map("b"), "apps2/c.yaml": config_map("c")})
        synced = sync_commit(str(repo.path), path="./apps/")
        assert names(synced) == ["apps/b.yaml:1 b"]
        assert synced.set_name != sync_commit(str(repo.path)).set_name
        assert names(sync_commit(str(repo.path), path="apps/b.yaml")) == ["apps/b.yaml:1 b"]

    @pytest.mark.parametrize("ref", ["v1", "refs/tags/v1", "main~1", "HEAD^"])
    def test_any_revision_can_be_named(self, repo: Repo, ref: str) -> None:
        first = repo.commit({"a.yaml": config_map("a")})
        repo.git("tag", "-a", "v1", "-m", "annotated")
        repo.commit({"a.yaml": config_map("b")})
        assert sync_commit(str(repo.path), ref).commit.sha == first

    @pytest.mark.parametrize("ref", ["nope", "--help", "-x", "", "a\nb", "HEAD:a.yaml", "main..main", "a\0b"])
    def test_what_names_no_commit_is_refused(self, repo: Repo, ref: str) -> None:
        repo.commit({"a.yaml": config_map("a")})
        with pytest.raises(KctlError, match="names no commit"):
            sync_commit(str(repo.path), ref)

    def test_errors_carry_the_file_in_the_commit(self, repo: Repo) -> None:
        repo.commit({"b/x.yaml": "a: [\n", "a.yaml": "kind: Pod\n", "k/kustomization.yaml": "resources: []\n"})
        with pytest.raises(ManifestErrors) as caught:
            sync_commit(str(repo.path))
        assert [str(error)[:24] for error in caught.value.errors] == [
            "a.yaml:1: not a manifest",
            "b/x.yaml:2:1: did not fi",
            "k/kustomization.yaml: bu",
        ]
        assert "was not applied" in caught.value.hint

    def test_a_bare_repository_and_a_worktree_do_too(self, repo: Repo, tmp_path: Path) -> None:
        repo.commit({"a.yaml": config_map("a")})
        repo.git("clone", "-q", "--bare", str(repo.path), str(tmp_path / "bare.git"))
        repo.git("worktree", "add", "-q", str(tmp_path / "tree"))
        for path in (tmp_path / "bare.git", tmp_path / "tree", repo.path / ".git"):
            assert names(sync_commit(str(path))) == ["a.yaml:1 a"]

    def test_the_environment_of_a_hook_does_not_mislead(
        self, repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        repo.commit({"a.yaml": config_map("a")})
        other = Repo(tmp_path / "other")
        other.commit({"b.yaml": config_map("b")})
        monkeypatch.setenv("GIT_DIR", str(other.path / ".git"))
        monkeypatch.setenv("GIT_INDEX_FILE", "/nowhere")
        assert names(sync_commit(str(repo.path))) == ["a.yaml:1 a"]
        assert os.environ["GIT_DIR"] == str(other.path / ".git")

    def test_a_blob_that_is_known_is_not_read_again(self, repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
        repo.commit({"a.yaml": config_map("a"), "b.yaml": config_map("b")})
        options = Options(cache=ParseCache(repo.path / ".kctl"))
        sync_commit(str(repo.path), options=options)
        repo.commit({"b.yaml": config_map("c")})
        read: list[str] = []
        real = Repository.read
        monkeypatch.setattr(Repository, "read", lambda self, sha: read.append(sha) or real(self, sha))
        assert names(sync_commit(str(repo.path), options=options)) == ["a.yaml:1 a", "b.yaml:1 c"]
        assert len(read) == 2  # the commit and the one blob

    @pytest.mark.parametrize("path", ["https://example.com/x.git", "git@example.com:x.git", "ext::sh -c true"])
    def test_nothing_is_fetched(self, path: str) -> None:
        with pytest.raises(UsageError, match="clone it first"):
            sync_commit(path)

    def test_what_is_not_there_is_said(self, repo: Repo, tmp_path: Path) -> None:
        repo.commit({"a.yaml": config_map("a")})
        (tmp_path / "plain").mkdir()
        for path, folder, message in (
            (tmp_path / "gone", "", "no such directory"),
            (tmp_path / "plain", "", "not a git repository"),
            (repo.path, "apps", 'has no folder "apps"'),
        ):
            with pytest.raises(KctlError, match=message):
                sync_commit(str(path), path=folder)
        with pytest.raises(UsageError, match="leads out"):
            sync_commit(str(repo.path), path="../other")
        repo.commit({"empty/readme.md": "x"})
        with pytest.raises(KctlError, match="holds no manifests in empty"):
            sync_commit(str(repo.path), path="empty")


class TestHostile:
    def test_links_and_submodules_are_reported_and_not_followed(self, repo: Repo, tmp_path: Path) -> None:
        (tmp_path / "secret.yaml").write_text(config_map("secret"), encoding="utf-8")
        repo.commit({"a.yaml": config_map("a")})
        (repo.path / "link.yaml").symlink_to("../secret.yaml")
        (repo.path / "folder").symlink_to("..")
        repo.git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},module")
        repo.git("add", "link.yaml", "folder")
        repo.git("commit", "-q", "-m", "links")
        synced = sync_commit(str(repo.path))
        assert names(synced) == ["a.yaml:1 a"]
        assert synced.skipped == ["link.yaml: a link is not followed", "module: a submodule is not read"]

    @pytest.mark.parametrize("name", [b"..", b".git", b".GIT"])
    def test_paths_that_no_checkout_could_make_are_refused(self, repo: Repo, name: bytes) -> None:
        repo.commit({"a.yaml": config_map("a")})
        blob = repo.git("rev-parse", "HEAD:a.yaml").strip().encode()
        inner = repo.git("mktree", "-z", stdin=b"100644 blob " + blob + b"\tevil.yaml\0").strip()
        raw = b"40000 " + name + b"\0" + bytes.fromhex(inner)
        tree = repo.git("hash-object", "-t", "tree", "-w", "--stdin", "--literally", stdin=raw).strip()
        sha = repo.git("commit-tree", tree, "-m", "evil").strip()
        with pytest.raises(KctlError, match="no checkout"):
            sync_commit(str(repo.path), sha)

    def test_no_command_of_the_configuration_runs(self, repo: Repo, tmp_path: Path) -> None:
        sha = repo.commit({"a.yaml": config_map("a")})
        trace = tmp_path / "ran"
        evil = tmp_path / "evil"
        evil.write_text(f"#!/bin/sh\ntouch {trace}\nexit 1\n", encoding="utf-8")
        evil.chmod(0o755)
        settings = {
            "core.fsmonitor": evil,
            "core.pager": evil,
            "core.editor": evil,
            "core.sshCommand": evil,
            "core.askPass": evil,
            "core.alternateRefsCommand": evil,
            "gpg.program": evil,
            "log.showSignature": "true",
            "credential.helper": f"!{evil}",
            "diff.external": evil,
            "filter.x.smudge": evil,
            "filter.x.process": evil,
            "uploadpack.packObjectsHook": evil,
            "remote.origin.url": f"ext::{evil}",
            "remote.origin.promisor": "true",
            "remote.origin.uploadpack": evil,
            "extensions.partialClone": "origin",
            "core.repositoryFormatVersion": "1",
            "protocol.ext.allow": "always",
        }
        for name, value in settings.items():
            repo.git("config", name, str(value))
        (repo.path / ".gitattributes").write_text("* filter=x diff=x\n", encoding="utf-8")
        assert names(sync_commit(str(repo.path), sha)) == ["a.yaml:1 a"]
        blob = repo.git("rev-parse", f"{sha}:a.yaml").strip()
        (repo.path / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
        with pytest.raises(KctlError):
            sync_commit(str(repo.path), sha)
        assert not trace.exists()

    def test_a_huge_blob_is_not_taken_in(self, repo: Repo) -> None:
        (repo.path / "big.yaml").write_bytes(b"#" * (33 << 20))
        repo.commit({"a.yaml": config_map("a")})
        with pytest.raises(ManifestErrors, match=r"^big\.yaml:1:1: larger than 32 MiB$"):
            sync_commit(str(repo.path))


class TestHook:
    def install(self, repo: Repo, type: str = "post-commit", **more: Any) -> hooks.Hook:
        return hooks.install(str(repo.path), type, hooks.What(COMMAND, **more))

    def status(self, repo: Repo, type: str = "post-commit", **more: Any) -> str:
        return hooks.status(str(repo.path), type, hooks.What(COMMAND, **more)).state

    @pytest.mark.parametrize("type", hooks.TYPES)
    def test_installing_twice_changes_nothing(self, repo: Repo, type: str) -> None:
        first = self.install(repo, type)
        text = first.file.read_text(encoding="utf-8")
        assert self.install(repo, type) == first
        assert first.file.read_text(encoding="utf-8") == text
        assert self.status(repo, type) == "installed"
        assert hooks.uninstall(str(repo.path), type).state == "absent"
        assert not first.file.exists()
        assert hooks.uninstall(str(repo.path), type).state == "absent"

    def test_another_interpreter_or_path_replaces_the_block_alone(self, repo: Repo) -> None:
        hook = self.install(repo)
        hook.file.write_text(hook.file.read_text(encoding="utf-8") + "echo mine\n", encoding="utf-8")
        assert self.status(repo, paths=["apps"]) == "outdated"
        self.install(repo, paths=["apps"], state="/var/lib/state of mine", branches=["main", "rel-*"])
        text = hook.file.read_text(encoding="utf-8")
        assert "--path apps --branch main --branch 'rel-*' -- " in text
        assert "'/var/lib/state of mine'" in text
        assert text.endswith("echo mine\n")
        assert text.count(">>> kctl") == 1
        assert hooks.uninstall(str(repo.path)).state == "foreign"
        assert hook.file.read_text(encoding="utf-8") == "#!/bin/sh\necho mine\n"

    @pytest.mark.parametrize("type", hooks.TYPES)
    def test_its_options_need_not_be_repeated_to_ask_for_it(self, repo: Repo, type: str) -> None:
        hook = self.install(repo, type, paths=["a b", "c"], state="/state of mine", branches=["rel-*", "--path", "x"])
        assert self.status(repo, type) == "installed"
        assert self.status(repo, type, paths=["c"]) == "outdated"
        text = hook.file.read_text(encoding="utf-8")
        hook.file.write_text(text.replace(COMMAND[0], "/elsewhere"), encoding="utf-8")
        assert self.status(repo, type) == "outdated"

    @pytest.mark.parametrize("type", ["post-commit", "pre-push", "post-receive"])
    def test_a_foreign_hook_goes_on_working_with_its_input_and_comes_back(
        self, repo: Repo, tmp_path: Path, type: str
    ) -> None:
        file, log = repo.path / ".git" / "hooks" / type, tmp_path / "log"
        theirs = f'#!/bin/sh\nread line\necho "$1|$line" > {log}\nexit 3\n'
        file.write_text(theirs, encoding="utf-8")
        file.chmod(0o755)
        assert self.status(repo, type) == "foreign"
        assert hooks.uninstall(str(repo.path), type).state == "foreign"
        self.install(repo, type)
        given = "a b\n" if type in hooks.WITH_INPUT else ""
        ran = subprocess.run([str(file), "one"], input=given, text=True, capture_output=True, check=False)
        assert ran.returncode == 3
        assert log.read_text(encoding="utf-8") == f"one|{given.strip()}\n"
        assert hooks.uninstall(str(repo.path), type).state == "foreign"
        assert file.read_text(encoding="utf-8") == theirs
        assert os.access(file, os.X_OK)

    def test_two_foreign_hooks_are_one_too_many(self, repo: Repo) -> None:
        hook = self.install(repo)
        hook.file.write_text("#!/bin/sh\n", encoding="utf-8")
        hook.file.with_name("post-commit.before-kctl").write_text("#!/bin/sh\n", encoding="utf-8")
        with pytest.raises(Refused, match="kept from before"):
            self.install(repo)

    def test_a_link_is_left_alone(self, repo: Repo, tmp_path: Path) -> None:
        (repo.path / ".git" / "hooks" / "post-commit").symlink_to(tmp_path / "manager")
        with pytest.raises(Refused, match="is a link"):
            self.install(repo)

    def test_a_folder_of_hooks_that_may_be_committed_is_refused(self, repo: Repo) -> None:
        repo.git("config", "core.hooksPath", ".husky")
        with pytest.raises(Refused, match="may share or commit"):
            self.install(repo)
        assert not (repo.path / ".husky").exists()

    def test_worktrees_share_the_hook(self, repo: Repo, tmp_path: Path) -> None:
        repo.commit({"a.yaml": config_map("a")})
        repo.git("worktree", "add", "-q", str(tmp_path / "tree"))
        hook = hooks.install(str(tmp_path / "tree"), "post-commit", hooks.What(COMMAND))
        assert hook.file == (repo.path / ".git" / "hooks" / "post-commit").resolve()

    def test_other_hooks_are_refused(self, repo: Repo) -> None:
        with pytest.raises(UsageError, match="no such hook"):
            self.install(repo, "update")

    def test_a_bare_repository_has_the_hooks_of_a_push(self, repo: Repo, tmp_path: Path) -> None:
        repo.git("clone", "-q", "--bare", str(repo.path), str(tmp_path / "bare.git"))
        assert hooks.default_types(str(tmp_path / "bare.git")) == ("pre-receive", "post-receive")
        assert hooks.default_types(str(repo.path)) == ("post-commit",)

    def test_git_runs_the_command_where_the_commit_was_made(self, repo: Repo, tmp_path: Path) -> None:
        log, fake = tmp_path / "log", tmp_path / "it's kctl"
        fake.write_text(f'#!/bin/sh\necho "$PWD|$*" >> {log}\nexit 3\n', encoding="utf-8")
        fake.chmod(0o755)
        what = hooks.What([str(fake)], ["apps"], "/s t")
        hooks.install(str(repo.path), "post-commit", what)
        (repo.path / "a.yaml").write_text(config_map("a"), encoding="utf-8")
        repo.git("add", "-A")
        said = repo.git("commit", "-q", "-m", "one")
        expected = f"{repo.path}|--state /s t hook run post-commit --path apps --\n"
        assert log.read_text(encoding="utf-8") == expected
        assert "ended with exit code 3" in said


ONE, TWO, NONE = "1" * 40, "2" * 40, "0" * 40


@pytest.mark.parametrize(
    ("text", "branches", "found"),
    [
        (f"{ONE} {TWO} refs/heads/main\n", (), [("main", TWO)]),
        (f"{NONE} {TWO} refs/heads/a/b\n{ONE} {TWO} refs/tags/v1\n", (), [("a/b", TWO)]),
        (f"{ONE} {NONE} refs/heads/main\n", ("main",), [("main", "")]),
        (f"{ONE} {TWO} refs/heads/dev\n{ONE} {TWO} refs/heads/rel-1\n", ("rel-*",), [("rel-1", TWO)]),
        ("", (), []),
    ],
)
def test_a_push_is_the_branches_that_count(text: str, branches: tuple[str, ...], found: list[Any]) -> None:
    assert pushes.wanted(pushes.received(text), branches) == found
    turned = "".join(
        f"{line.split()[2]} {line.split()[1]} {line.split()[2]} {line.split()[0]}\n" for line in text.splitlines()
    )
    assert pushes.wanted(pushes.pushed(turned), branches) == found


@pytest.mark.parametrize("text", ["x\n", f"{ONE} $(id) refs/heads/main\n", f"{ONE} {TWO}\n"])
def test_what_git_would_not_say_is_refused(text: str) -> None:
    with pytest.raises(KctlError, match="is no line"):
        pushes.received(text)


def test_manifests_of_a_commit_can_be_planned_like_any_others(repo: Repo) -> None:
    repo.commit({"a.yaml": config_map("a")})
    (manifest,) = sync_commit(str(repo.path)).manifests
    assert manifest.place("metadata.name") == "a.yaml:4"
    assert isinstance(manifest, manifests.Manifest)
