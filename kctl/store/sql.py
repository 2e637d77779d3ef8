"""What the admin commands ask of a replica, in SQLAlchemy Core against the tables of ``schema``.

In: the file of one replica, opened read-only. Out: what fills it. Importing SQLAlchemy costs 200 ms,
so nothing here is on the way of a command that works with objects.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Connection, Integer, create_engine, func, literal_column, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import StaticPool

from kctl.store import replica, schema
from kctl.store.errors import Corrupt


class Usage(NamedTuple):
    """What one resource takes in a log: objects that exist, states that are kept, bytes of their values."""

    resource: str
    objects: int
    states: int
    size: int


@contextmanager
def reading(path: Path) -> Iterator[Connection]:
    """Open one replica's file read-only, with the settings that every reader has."""
    db = replica.connect(path, write=False)
    try:
        engine = create_engine("sqlite://", creator=lambda: db, poolclass=StaticPool)
        with engine.connect() as connection:
            yield connection
    finally:
        db.close()


def usage(path: Path) -> list[Usage]:
    """Return what each resource takes, the largest first."""
    kv, resource = schema.kv, schema.resource
    rest = func.substr(kv.c.key, 2)
    name = func.substr(rest, 1, func.instr(rest, "/") - 1).label("name")
    stored = (
        select(name, func.count().label("states"), func.sum(func.length(kv.c.value)).label("size"))
        .group_by(literal_column("name"))
        .subquery()
    )
    rows = (
        select(stored.c.name, func.coalesce(resource.c.count, 0), stored.c.states, func.coalesce(stored.c.size, 0))
        .select_from(stored.outerjoin(resource, resource.c.name == stored.c.name))
        .order_by(literal_column("4", Integer).desc(), stored.c.name)
    )
    with reading(path) as connection:
        try:
            return [Usage(*row) for row in connection.execute(rows)]
        except SQLAlchemyError as error:
            raise Corrupt(f"{path} cannot be counted: {error}") from None
