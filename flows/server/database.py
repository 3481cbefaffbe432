"""Prefect's database on this machine, in SQLite: who writes when, and what is old in it."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from prefect.server.database import provide_database_interface
from prefect.server.database.configurations import AioSqliteConfiguration
from prefect.server.services import db_vacuum
from prefect.settings import PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD as RETENTION
from prefect.settings import temporary_settings

ENDED = "end_time IS NOT NULL AND state_type IN ('COMPLETED', 'FAILED', 'CANCELLED', 'CRASHED')"


def writers_take_turns() -> None:
    """Let a transaction that may write wait for its turn, in this process.

    Prefect lets it begin as a reader. SQLite then refuses to let it write, at once and whatever
    the timeout ("database is locked"), if another one has written since.
    """
    begin = AioSqliteConfiguration.begin_transaction

    def begin_as_writer(self: Any, session: Any, with_for_update: bool = True) -> Any:
        return begin(self, session, with_for_update=True)

    AioSqliteConfiguration.begin_transaction = begin_as_writer  # type: ignore[method-assign]


def file() -> Path | None:
    """The database of this project; None if there is none, or if runs are kept elsewhere."""
    elsewhere = ("PREFECT_API_URL", "PREFECT_SERVER_DATABASE_CONNECTION_URL")
    path = Path(os.environ["PREFECT_HOME"]) / "prefect.db"
    return path if path.is_file() and not any(map(os.environ.get, elsewhere)) else None


def ended_runs(path: Path, older: timedelta) -> tuple[int, int]:
    """How many flow runs ended that long ago, and how many there are."""
    since = f"{datetime.now(UTC) - older:%Y-%m-%d %H:%M:%S}"
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        old = f"SELECT count(*) FROM flow_run WHERE {ENDED} AND end_time < ?"
        (some,), (every,) = (
            database.execute(old, (since,)).fetchone(),
            database.execute("SELECT count(*) FROM flow_run").fetchone(),
        )
    return some, every


def forget_runs(path: Path, older: timedelta) -> None:
    """Delete the flow runs that ended that long ago, with their steps, logs and artifacts."""
    writers_take_turns()
    with temporary_settings({RETENTION: older}):
        asyncio.run(_vacuum())
    with suppress(sqlite3.OperationalError), closing(sqlite3.connect(path)) as database:
        database.execute("VACUUM")  # else the file keeps its size


async def _vacuum() -> None:
    database = provide_database_interface()
    await db_vacuum.vacuum_old_flow_runs(db=database)
    await db_vacuum.vacuum_stale_artifact_collections(db=database)
