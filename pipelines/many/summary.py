"""The table of what became of all recordings of an output folder: CSV and JSON."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from eventsnn.io.atomic import whole

from .manifest import ANY_NAME, Entry


def row(entry: Entry) -> dict[str, Any]:
    """An entry as a line of the table; ``rate`` in events/s, ``on`` the part of ON events, ``seconds`` of work."""
    facts = entry["facts"]
    events, duration = facts["events"], facts["duration_us"] / 1e6
    return {
        "recording": entry["name"],
        "status": entry["status"],
        "reason": entry["reason"],
        "events": events,
        "duration_s": duration,
        "rate": round(events / duration, 1) if duration else 0.0,
        "on": round(facts["on"] / events, 4) if events else 0.0,
        "sensor": "{}x{}".format(*facts["sensor"]) if facts["sensor"] else "",
        "tracks": facts["track_count"],
        "seconds": entry["seconds"],
        "results": " ".join(result["path"] for result in entry["results"]),
        "input": entry["input"]["path"],
    }


def write(out: Path, entries: list[Entry]) -> None:
    """Write summary.csv and summary.json."""
    rows = [row(entry) for entry in entries]
    with whole(out / "summary.csv") as path, path.open("w", newline="", errors=ANY_NAME) as file:
        table = csv.DictWriter(file, list(rows[0]) if rows else [])
        table.writeheader()
        table.writerows(rows)
    with whole(out / "summary.json") as path:
        path.write_text(json.dumps(rows, indent=1))
