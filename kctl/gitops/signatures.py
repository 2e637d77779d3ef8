"""Whose commit it is: the signature of a commit, checked by git with the programs and keys of the user.

The repository's own configuration could name another program to ask, or its own list of
signers; every such setting is given on git's command line, where it wins.
"""

from __future__ import annotations

from pathlib import Path

from kctl.api.errors import KctlError, Refused, UsageError
from kctl.gitops.git import Repository

KINDS = ("gpg", "ssh")
HEADS = {"gpg": b"-----BEGIN PGP SIGNATURE-----", "ssh": b"-----BEGIN SSH SIGNATURE-----"}
NAMES = {"gpg": "OpenPGP", "ssh": "SSH"}


def check(repo: Repository, sha: str, kind: str, *, signers: str = "") -> None:
    """Raise Refused unless the commit bears a good signature of this kind.

    ``signers`` is the file of those whose SSH keys count (ssh-keygen's allowed signers); OpenPGP
    keys are those of the user's key ring.
    """
    if kind == "ssh" and not signers:
        raise UsageError("--verify ssh needs --allowed-signers FILE: whose keys count")
    if signers and not Path(signers).is_file():
        raise KctlError(f"{signers}: no such file")
    header = repo.read(sha).partition(b"\n\n")[0]
    if HEADS[kind] not in header:
        raise Refused(f"commit {sha[:12]} bears no {NAMES[kind]} signature")
    settings = {
        "gpg.program": "gpg",
        "gpg.openpgp.program": "gpg",
        "gpg.x509.program": "false",
        "gpg.ssh.program": "ssh-keygen",
        "gpg.ssh.allowedSignersFile": str(Path(signers).resolve()) if signers else "",
        "gpg.ssh.revocationFile": "",
        "gpg.minTrustLevel": "undefined",
    }
    given = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    try:
        repo.run(*given, "verify-commit", sha)
    except KctlError as error:
        raise Refused(f"commit {sha[:12]}: its signature does not hold: {error.message}") from None
