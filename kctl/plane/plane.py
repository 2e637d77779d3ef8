"""The composition root: a control plane made of store, API server, loops and clock.

This class is what an embedding program uses (``from kctl import ControlPlane``) and what every
command of the CLI stands on. It adds nothing to what the rooms do; it puts them together.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from kctl.api import durations
from kctl.api.clock import EPOCH, FixedClock
from kctl.api.errors import KctlError, StatusError, UsageError
from kctl.api.objects import Key, Obj
from kctl.plane import cluster as clusters
from kctl.plane import retention, stores
from kctl.plane import shape as shapes
from kctl.plane.retention import History
from kctl.plane.stores import open_store
from kctl.runtime.converge import Outcome  # part of this module's interface
from kctl.runtime.flags import DEFAULT_FLAGS, Flags
from kctl.runtime.flags import parse as parse_flags
from kctl.runtime.profile import Profile

if TYPE_CHECKING:
    from typing import Self

    from kctl.api.behaviour import Behaviours
    from kctl.apiserver.http import HTTPResponse
    from kctl.apiserver.server import APIServer
    from kctl.client.client import Client
    from kctl.plane.converger import Converger, Listener, Progress
    from kctl.runtime.manager import Manager
    from kctl.scheduler.cluster import Cluster
    from kctl.store.api import Store

__all__ = ["HORIZON", "ControlPlane", "Outcome", "Shape", "open_store", "parse_duration"]
ADMIN = "kubernetes-admin"
HORIZON = 3600.0
RETRIES = 20
FORGET_EVERY = 500
"""After so many revisions a plane that stays open looks whether history is to be forgotten."""
MAX_SECONDS = 100 * 365.25 * 86400


class Shape(NamedTuple):
    """What a plane is made with besides its store."""

    controllers: tuple[str, ...] | None = None
    cloud: str = "none"
    profile: Profile = Profile()
    seed: int = 0
    admission: Mapping[str, Any] | None = None
    replicas: int = 1
    history: History = History()
    authorization: tuple[str, ...] = ("Node", "RBAC")
    flags: Flags = DEFAULT_FLAGS
    behaviours: Behaviours | None = None
    scheduler: Mapping[str, Any] | None = None


class ControlPlane:
    """A control plane in memory or in a state folder; use it as a context manager."""

    store: Store
    folder: Path | None
    frozen: ClassVar[bool] = False
    """Whether stored objects refuse to be changed in place; tests set it."""

    def __init__(self, store: Store, folder: Path | None, shape: Shape) -> None:
        from kctl.api.registry import builtin
        from kctl.apiserver.server import APIServer
        from kctl.client.local import LocalClient

        self.store = store
        self.folder = folder
        self.shape = shape
        self.clock = FixedClock(store.head().now or EPOCH)
        self.server: APIServer = APIServer(
            store,
            clock=self.clock,
            registry=builtin(),
            seed=shape.seed,
            admission=shape.admission,
            frozen=self.frozen,
            authorization=shape.authorization,
        )
        self.server.folder = folder
        self.client: Client = LocalClient(self.server, user=ADMIN, field_manager="kctl")
        self._converger: Converger | None = None
        self.is_reading = False
        self._looked = 0
        self._is_shared = True
        self.shape_notes: list[str] = []
        self._shaped: clusters.Cluster | None = None

    @classmethod
    def open(
        cls,
        path: str | Path | None,
        *,
        nodes: int = 0,
        controllers: Sequence[str] | None = None,
        cloud: str = "none",
        kubernetes: str = "1.36",
        seed: int = 0,
        scheduler_config: Mapping[str, Any] | None = None,
        admission: Mapping[str, Any] | None = None,
        authorization: str = "AlwaysAllow",
        store: Store | None = None,
        flags: Mapping[str, object] | None = None,
        behaviours: Behaviours | None = None,
    ) -> Self:
        """Open the plane in the state folder ``path`` (made when it is not there), None: in memory.

        ``nodes`` are made on the first opening only. ``flags`` are kube-controller-manager's, by its
        names (:mod:`kctl.runtime.flags`); ``behaviours`` says what goes wrong in the simulated world
        (:mod:`kctl.api.behaviour`); ``scheduler_config`` is a KubeSchedulerConfiguration. Raises UsageError
        for a flag there is not, for what is wrong in a configuration and for what is not built: another
        Kubernetes minor, an authorization mode there is not (several are separated by commas:
        ``Node,RBAC``); KctlError when the folder cannot be used.
        """
        if kubernetes != "1.36":
            raise UsageError(f"Kubernetes {kubernetes} is not built yet; kctl has 1.36")
        if scheduler_config is not None:
            from kctl.plane.loops import scheduler_configuration

            scheduler_configuration(scheduler_config)
        shape = Shape(
            None if controllers is None else tuple(controllers),
            cloud,
            Profile(),
            seed,
            admission,
            authorization=_modes(authorization),
            flags=_flags(flags or {}),
            behaviours=behaviours,
            scheduler=scheduler_config,
        )
        folder = None if path is None else Path(path)
        plane = cls(store or open_store(folder), folder, shape)
        plane._begin(clusters.default(nodes=nodes, cloud=cloud) if nodes else None)
        return plane

    @classmethod
    def for_cluster(
        cls, folder: Path | None, cluster: clusters.Cluster, *, seed: int = 0, remove: bool = False
    ) -> Self:
        """Open the plane of a cluster: its nodes are made where they are missing.

        With ``remove`` a run also takes away and replaces nodes, as :meth:`shape_nodes`.
        """
        store = open_store(folder, replicas=cluster.replicas)
        plane = cls(store, folder, _shape_of(cluster, seed))
        plane._begin(cluster, remove=remove)
        return plane

    @classmethod
    def imagined(cls, folder: Path, cluster: clusters.Cluster, *, seed: int = 0, remove: bool = False) -> Self:
        """Open a plane on what the cluster of a folder is now; nothing it does ever reaches that folder.

        ``remove`` is that of :meth:`for_cluster`.
        """
        from kctl.store.overlay import OverlayStore

        store = OverlayStore(open_store(folder, create=False, consistency="serializable"))
        plane = cls(store, folder, _shape_of(cluster, seed))
        plane._is_shared = False
        plane._begin(cluster, remove=remove)
        return plane

    @classmethod
    def drafted(cls, cluster: clusters.Cluster, *, seed: int = 0) -> Self:
        """Open a plane of a new cluster that is nowhere yet: :meth:`settle` gives it a folder."""
        plane = cls(open_store(None), None, _shape_of(cluster, seed))
        plane.shape_nodes(cluster)
        return plane

    def take_shape(self, cluster: clusters.Cluster) -> None:
        """Let the loops be those of a cluster: what they would do is asked of a plane that was opened to be read."""
        self.shape = _shape_of(cluster, self.shape.seed)

    def keep_private(self) -> None:
        """Take no lock and leave no mark in the folder: this is an image, and nobody else can see it."""
        self._is_shared = False

    def settle(self, folder: Path) -> bool:
        """Give a drafted plane its folder; what was written so far becomes durable with the next commit.

        Returns False when another process has made the cluster meanwhile: the draft was dropped then.
        """
        self.store = open_store(folder, replicas=self.shape.replicas)
        self.folder = self.server.folder = folder
        is_ours = self.server.storage.move(self.store)
        self.clock.set(self.store.head().now)
        return is_ours

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self._flush()
                self.forget()
        finally:
            self.close()

    def _flush(self) -> None:
        """Make what went through :attr:`client` durable; KctlError when another process was faster."""
        from kctl.store.errors import HeadMoved

        if self.is_reading:
            return
        try:
            self.server.commit()
        except HeadMoved:
            self.refresh()
            raise KctlError(
                "another process wrote to this cluster first; nothing was changed", hint="try again"
            ) from None

    def forget(self) -> None:
        """Compact what the history need not keep, when it is time to; else this costs next to nothing."""
        if self.folder is None or self.is_reading or not self._is_shared:
            return
        with suppress(KctlError):  # it is not what the command was for: the next one tries again
            storage = self.server.storage
            if not retention.is_due(self.shape.history, storage.head.revision - self.store.compacted()):
                return
            head = retention.compact(self.store, self.shape.history)
            if head is not None and head.index == storage.head.index + 1:
                storage.head = head
            elif head is not None:
                self.refresh()

    def close(self) -> None:
        """Let go of the store. What was committed is durable; what was not is dropped."""
        if self._converger is not None:
            self._converger.drop()
        if self.folder is not None and self._is_shared and not self.is_reading:
            stores.remember(self.folder, self.store.cluster_id, self.server.storage.head)
        self.store.close()

    @property
    def now(self) -> float:
        """The virtual time in seconds since 1970-01-01T00:00:00Z."""
        return self.clock.now()

    @property
    def revision(self) -> int:
        """The revision of the last write."""
        return self.server.revision

    @property
    def converger(self) -> Converger:
        """What runs the loops; made (and imported) when first needed."""
        if self._converger is None:
            from kctl.plane.converger import Converger, Options

            folder = self.folder if self._is_shared else None
            self._converger = Converger(self.server, self.clock, Options(folder, self._build, self._loops()))
        return self._converger

    def _loops(self) -> str:
        """Say which loops run here and in which version, for the mark of the converger."""
        from kctl import __version__

        names = "all" if self.shape.controllers is None else ",".join(sorted(self.shape.controllers))
        flags = "" if self.shape.flags == DEFAULT_FLAGS else f" {tuple(self.shape.flags)}"
        scheduler = f" {json.dumps(self.shape.scheduler, sort_keys=True)}" if self.shape.scheduler else ""
        return f"{__version__} {self.shape.cloud} {names}{flags}{scheduler}"

    def _build(self, manager: Manager) -> None:
        from kctl.plane.loops import build

        shape = self.shape
        build(
            manager,
            self.server,
            shape.controllers,
            cloud=shape.cloud,
            profile=shape.profile,
            seed=shape.seed,
            scheduler=shape.scheduler,
            behaviours=shape.behaviours,
            flags=shape.flags,
        )

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        content_type: str = "",
        headers: Mapping[str, str] | list[tuple[str, str]] | None = None,
        user: Mapping[str, Any] | str | None = None,
    ) -> HTTPResponse:
        """Answer a request as ``kctl serve`` would over HTTPS; a write is durable when it returns."""
        from kctl.store.errors import HeadMoved

        cause = f"{method} {path.partition('?')[0]}"
        for _ in range(RETRIES):
            response = self.server.http(method, path, body, content_type, headers, user)
            before = self.revision
            try:
                self.commit(cause=cause)
            except HeadMoved:
                self.refresh()
                continue
            if before // FORGET_EVERY != self._looked:
                self._looked = before // FORGET_EVERY
                self.forget()
            return response
        raise KctlError("other processes keep writing to this cluster", hint="run it again")

    def refresh(self) -> None:
        """Take in what other processes committed; uncommitted writes are dropped."""
        self.server.refresh()
        self.clock.set(self.server.storage.head.now)
        if self._converger is not None:
            self._converger.drop()

    def commit(self, *, cause: str = "") -> None:
        """Make everything written so far durable; HeadMoved when another process wrote first.

        ``cause`` says in the history what it was.
        """
        self.server.commit(cause=cause)

    def _begin(self, cluster: clusters.Cluster | None, *, remove: bool = False) -> None:
        """Make what every cluster has, and the nodes of the shape, durable; two that do it at once agree."""
        from kctl.store.errors import HeadMoved

        try:
            head = self.store.head()
            cause = "shape" if head.index else "init"
            if self.folder is not None and (error := stores.forgotten(self.folder, self.store.cluster_id, head)):
                raise error
            for _ in range(RETRIES):
                if cluster is not None:
                    self.shape_notes = self.shape_nodes(cluster, remove=remove)
                try:
                    return self.commit(cause=cause)
                except HeadMoved:
                    self.refresh()
            raise KctlError("other processes keep writing to this cluster", hint="run it again")
        except BaseException:
            self.store.close()
            raise

    def shape_nodes(self, cluster: clusters.Cluster, *, remove: bool = False) -> list[str]:
        """Create the instances of the shape that are missing; return, in words, where the others differ from it.

        With ``remove`` the next :meth:`run` takes away the nodes that the shape has no more and
        replaces those it describes anew; nothing but a run ever does.
        """
        found = shapes.difference(self.client, cluster)
        shapes.make_missing(self.client, found)
        self._shaped = cluster if remove else None
        return [] if remove else found.notes()

    def _reshape(self) -> None:
        """Write what the shape takes away or replaces."""
        if self._shaped is not None:
            shapes.take_away(self.client, shapes.difference(self.client, self._shaped))

    def use_mark(self, use: bool) -> None:
        """Say whether a revision that was found quiet before is taken for quiet (the default)."""
        self.converger.use_mark = use

    def run(
        self,
        *,
        within: float = HORIZON,
        advance: float | None = None,
        progress: Progress | None = None,
        listener: Listener | None = None,
        out_of_time: Callable[[], str] | None = None,
    ) -> Outcome:
        """Run the loops until nothing would change any more; say how it ended.

        What changes is told to the ``listener``; without one :attr:`converger` keeps it all.
        """
        self._flush()
        is_other = self._shaped is not None and bool(shapes.difference(self.client, self._shaped).notes())
        return self.converger.run(
            within=within,
            advance=advance,
            progress=progress,
            begin=self._reshape if is_other else None,
            listener=listener,
            out_of_time=out_of_time,
        )

    def scheduling(self, namespace: str, name: str, *, drawn: Cluster | None = None) -> Obj:
        """Return the scheduler's last decision for a pod, computed anew when none was made here.

        For a pod that another process placed, on what the log says the cluster was then; ``revision`` says when.

        The form is that of "The Python door": node, message, nodes, best, nominated, victims.
        Raises NotFound when there is no such pod. ``drawn`` is a picture of the cluster as it is now, without the pod.
        """
        from kctl.plane.loops import SCHEDULER

        manager = self.converger.manager
        for loop in manager.loops:
            if loop.name == SCHEDULER:
                found: Obj | None = loop.decision(Key(namespace, name))  # type: ignore[attr-defined]
                if found is not None:
                    return found
        from kctl.plane.placing import framework_of
        from kctl.plane.replay import decided
        from kctl.scheduler.explain import explain

        manager.pump()
        pod = self.client.get("pods", namespace, name)
        return decided(self, pod) or explain(manager.caches, pod, framework_of(self, pod), drawn)

    def compact(self) -> None:
        """Compact all history, as if the server had been restarted after a compaction."""
        self.server.compact()


def _shape_of(cluster: clusters.Cluster, seed: int) -> Shape:
    """Return what a plane with the shape of a cluster is made with."""
    return Shape(
        cluster.controllers,
        cluster.cloud,
        cluster.profile,
        seed,
        replicas=cluster.replicas,
        history=cluster.history,
        flags=cluster.flags,
        scheduler=cluster.scheduler,
    )


def _flags(given: Mapping[str, object]) -> Flags:
    """Read flags; UsageError for one that is not known or not well."""
    try:
        return parse_flags(given)
    except ValueError as error:
        raise UsageError(str(error)) from None


def _modes(text: str) -> tuple[str, ...]:
    """Read the authorization modes; UsageError when there is no such mode."""
    if text == "AlwaysAllow":
        return (text,)
    from kctl.apiserver.authz import modes

    try:
        return modes(text)
    except ValueError as error:
        raise UsageError(str(error)) from None


def parse_duration(text: str | float) -> float:
    """Return seconds; UsageError when ``text`` is no duration such as ``1h30m``."""
    try:
        seconds = float(text) if isinstance(text, int | float) else durations.parse(text)
    except (ValueError, StatusError) as error:
        raise UsageError(f"{text!r} is not a duration: {error}") from None
    if not 0 <= seconds < MAX_SECONDS:
        raise UsageError(f"{text!r} is not a duration that can pass: want one from 0 to 100 years")
    return seconds
