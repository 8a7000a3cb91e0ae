"""The SQLite file behind everything: one connection, used from the event loop alone.

WAL with synchronous=NORMAL: a commit is a write without an fsync, so it survives a killed process
(kill -9) and costs some ten microseconds; only a power cut may lose the last moments.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

FILE_NAME: Final = "cosmos.sqlite"
_FORMAT: Final = 1
"""Of the tables below, in SQLite's user_version."""

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS databases (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, body TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS containers (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    database INTEGER NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL,
    UNIQUE (database, id)
);
CREATE TABLE IF NOT EXISTS items (
    number INTEGER PRIMARY KEY,
    container INTEGER NOT NULL, partition TEXT NOT NULL, id TEXT NOT NULL,
    expires_at INTEGER, etag TEXT NOT NULL, body BLOB NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS items_by_id ON items (container, partition, id);
CREATE INDEX IF NOT EXISTS items_by_number ON items (container, partition, number);
CREATE INDEX IF NOT EXISTS items_by_expiry ON items (expires_at) WHERE expires_at IS NOT NULL;
"""


class DataError(RuntimeError):
    """The data directory cannot be used; the message says which and why."""


class Database:
    """An open SQLite database; in memory without a directory."""

    def __init__(self, directory: Path | None) -> None:
        """Raises `DataError` if another server uses `directory`, or one of another version did."""
        self._lock = _lock(directory)
        file = ":memory:" if directory is None else str(directory / FILE_NAME)
        try:
            self.connection = sqlite3.connect(file, isolation_level=None, cached_statements=64)
        except sqlite3.Error as error:
            self._unlock()
            raise DataError(f"--data {directory}: {error}") from error
        try:
            self._prepare(directory)
        except BaseException:
            self.close()
            raise

    def _prepare(self, directory: Path | None) -> None:
        connection = self.connection
        try:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version not in (0, _FORMAT):
                raise DataError(
                    f"--data {directory}: written by another version; choose an empty directory"
                )
            connection.executescript(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; "
                "PRAGMA cache_size = -65536; PRAGMA temp_store = MEMORY;"
                f"{_TABLES} PRAGMA user_version = {_FORMAT};"
            )
        except sqlite3.Error as error:
            raise DataError(f"--data {directory}: {error}") from error

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing. Single statements need none: each commits by itself."""
        execute = self.connection.execute
        execute("BEGIN")
        try:
            yield
        except BaseException:
            execute("ROLLBACK")
            raise
        execute("COMMIT")

    def close(self) -> None:
        """Close the file and give the directory back."""
        self.connection.close()
        self._unlock()

    def _unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _lock(directory: Path | None) -> int | None:
    """Keep other servers off a directory; the lock ends with the process, however it ends."""
    if directory is None:
        return None
    try:
        directory.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(directory / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise DataError(f"--data {directory}: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise DataError(f"--data {directory}: another server is using it") from error
    return descriptor
