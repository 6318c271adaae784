"""The SQLite files that ROS 2 records to: tables topics (id, name, type...) and messages (id, topic_id, data...).

Read with Python's own SQLite, row by row; nothing of the file is trusted or run. Places are the numbers of rows.
Source: ROS 2, rosbag2_storage_sqlite3 (2019).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from urllib.parse import quote

from . import ros
from .errors import EventFormatError
from .header import Header
from .reading import Mark, Pass
from .source import Source

MAGIC = b"SQLite format 3\0"
_ROWS = 64  # rows read together
_STEPS = 50_000_000  # of SQLite's machine for one query
_ERRORS = (sqlite3.Error, OverflowError, UnicodeDecodeError)


@contextmanager
def _opened(source: Source) -> Iterator[sqlite3.Connection]:
    if source.path is not None:
        database = sqlite3.connect(f"file:{quote(source.path)}?mode=ro", uri=True)
    else:
        database = sqlite3.connect(":memory:")
    try:
        if source.path is None:
            with source.file() as file:
                database.deserialize(file.read())
        database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, max((source.size or 0) + 1000, 1 << 16))
        database.set_progress_handler(lambda: 1, _STEPS)
        database.execute("PRAGMA trusted_schema = OFF")
        database.text_factory = lambda text: text.decode("utf-8", "replace")
        yield database
    except _ERRORS as error:
        raise EventFormatError(f"the database cannot be read: {error}") from error
    finally:
        database.close()


def start(source: Source) -> Header:
    if not source.head.startswith(MAGIC):
        raise EventFormatError("does not begin with 'SQLite format 3'", offset=0)
    return ros.start(source, _records, 0)


def decode(run: Pass) -> Iterator[None]:
    return ros.decode(run, _records)


def _records(run: Pass, met: dict[int, ros.Connection]) -> Iterator[tuple[int, ros.Messages]]:
    """The number of the last row before some rows, and these."""
    left = run.source.size or 0  # the rows cannot hold more than the file
    last = run.mark.offset if run.mark else 0
    with _opened(run.source) as database:
        for number, topic, kind in database.execute("SELECT id, name, type FROM topics"):
            if isinstance(number, int) and (found := ros.connection(str(topic), str(kind), "cdr")) is not None:
                met.setdefault(number, found)
        while rows := _rows(run, database, last):
            run.report.last_good = last
            left -= sum(len(data) + 1 for _, _, data in rows)
            if left < 0:
                raise EventFormatError("the rows hold more than the file: its pages refer to each other in circles")
            run.mark = Mark(rows[-1][0])
            yield last, [(topic, data) for _, topic, data in rows]
            last = rows[-1][0]


def _rows(run: Pass, database: sqlite3.Connection, last: int) -> list[tuple[int, int, bytes]]:
    """The next rows. Over damage, when skipping, to a row some way behind it, farther each time."""
    step = 0
    while True:
        query = "SELECT rowid, topic_id, data FROM messages WHERE rowid > ? ORDER BY rowid LIMIT ?"
        try:
            rows = database.execute(query, (last + step, 1 if step else _ROWS)).fetchall()
        except _ERRORS as error:
            if not run.skip:
                raise EventFormatError(f"the database is damaged: {error}", offset=last) from error
            run.report.skipped_bytes += 1
            step = 2 * step + 1
            if step > 1 << 40:
                return []
            continue
        places = [last, *(row[0] for row in rows)]
        if any(not isinstance(b, int) or b <= a for a, b in pairwise(places)):
            raise EventFormatError("the rows of the messages are not in order", offset=last)
        good = [row for row in rows if isinstance(row[1], int) and isinstance(row[2], bytes)]
        if len(good) < len(rows) and not run.skip:
            raise EventFormatError("a row of the messages is not of the right types", offset=last)
        run.report.skipped_bytes += len(rows) - len(good)
        if good or not rows:
            return good
        last = rows[-1][0]
