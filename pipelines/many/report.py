"""report.html: one page that needs nothing else, with a line for each recording."""

from __future__ import annotations

import html
import time
from importlib.resources import files
from pathlib import Path
from typing import Any

from eventsnn.events import show_duration, show_rate
from eventsnn.io.atomic import whole

from .manifest import ANY_NAME, Entry, versions
from .summary import row

_INKS = ("#007d48", "#923cbe", "#cd6e00", "#00789b", "#be1e5f", "#696900", "#4650c8")
_HEADS = (
    ("picture", ""), ("recording", "text"), ("status", "text"), ("events", "number"), ("duration", "number"),
    ("rate over time", "number"), ("ON", "number"), ("tracks", "number"), ("took", "number"),
)  # fmt: skip


def write(out: Path, entries: list[Entry], chain: str) -> None:
    """Write the page for these entries, failures first."""
    ordered = sorted(entries, key=lambda entry: (entry["status"] != "failed", entry["name"]))
    failed = [entry for entry in entries if entry["status"] == "failed"]
    events = sum(entry["facts"]["events"] for entry in entries)
    seen = show_duration(sum(entry["facts"]["duration_us"] for entry in entries))
    numbers = {"recordings": len(entries), "failed": len(failed), "events": f"{events:,}", "of recording": seen}
    if tracks := sum(entry["facts"]["track_count"] for entry in entries):
        numbers["tracks"] = f"{tracks:,}"
    tiles = "".join(
        f'<div class="tile{" bad" if name == "failed" and failed else ""}"><b>{value}</b><span>{name}</span></div>'
        for name, value in numbers.items()
    )
    heads = "".join(
        f'<th scope="col"><button data-kind="{kind}">{name}</button></th>' if kind else f'<th scope="col">{name}</th>'
        for name, kind in _HEADS
    )
    here, made = files(__package__), ", ".join(f"{name} {number}" for name, number in versions().items())
    page = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(out.resolve().name)}: {len(entries)} recordings</title>
<style>{(here / "report.css").read_text()}</style></head>
<body><header><h1>{html.escape(out.resolve().name)}</h1><p class="chain">{html.escape(chain)}</p></header>
<section class="tiles">{tiles}</section>
<label class="find">Show only <input type="search" placeholder="part of a name, reason or status"></label>
<table><thead><tr>{heads}</tr></thead><tbody>
{"".join(_line(entry) for entry in ordered)}</tbody></table>
<footer>ON events are <b class="on">blue</b>, OFF events <b class="off">red</b>; a picture shows 20 ms from the later
half, with the whole paths of tracks. Written {time.strftime("%Y-%m-%d %H:%M")}, {html.escape(made)}.</footer>
<script>{(here / "report.js").read_text()}</script></body></html>
"""
    with whole(out / "report.html") as path:
        path.write_text(page, errors=ANY_NAME)


def _line(entry: Entry) -> str:
    told, facts = row(entry), entry["facts"]
    where = html.escape(entry["input"]["path"])
    links = " ".join(
        f'<a href="{html.escape(result["path"], quote=True)}">{html.escape(Path(result["path"]).suffix[1:])}</a>'
        for result in entry["results"]
    )
    reason = f'<p class="reason">{html.escape(entry["reason"])}</p>' if entry["reason"] else ""
    seen = bool(facts["events"])
    most = max(facts["rate"]["events"], default=0) / facts["rate"]["bin_us"] * 1e6
    rate = f"{show_rate(told['rate'])}<br>peak {show_rate(most).removesuffix(' events/s')}" if told["rate"] else ""
    cells: tuple[tuple[str, Any, str], ...] = (
        ("recording", told["recording"], f'<b title="{where}">{html.escape(entry["name"])}</b> {links}{reason}'),
        ("status", told["status"], f'<span class="status {entry["status"]}">{entry["status"]}</span>'),
        ("events", told["events"], f"{told['events']:,}<small>{told['sensor']}</small>" if seen else ""),
        ("duration", told["duration_s"], show_duration(facts["duration_us"]) if seen else ""),
        ("rate over time", told["rate"], f"{_curve(facts['rate']['events'])}<small>{rate}</small>"),
        ("ON", told["on"], _balance(told["on"]) if seen else ""),
        ("tracks", told["tracks"], str(told["tracks"] or "")),
        ("took", told["seconds"], f"{told['seconds']:.2f} s"),
    )
    body = "".join(
        f'<td data-name="{name}" data-value="{html.escape(str(value), quote=True)}">{text}</td>'
        for name, value, text in cells
    )
    return f'<tr class="{entry["status"]}"><td class="picture">{_picture(facts)}</td>{body}</tr>\n'


def _picture(facts: dict[str, Any]) -> str:
    if not facts["picture"]:
        return ""
    image = f'<img alt="events of some ms" loading="lazy" src="data:image/png;base64,{facts["picture"]}">'
    if not facts["sensor"]:
        return image
    width, height = facts["sensor"]
    paths = "".join(
        f'<polyline stroke="{_INKS[(track["id"] - 1) % len(_INKS)]}" '
        f'points="{" ".join(f"{x},{y}" for x, y in track["path"])}"><title>track {track["id"]}</title></polyline>'
        for track in facts["tracks"]
    )
    return f'<div class="stack">{image}<svg viewBox="0 0 {width} {height}" aria-hidden="true">{paths}</svg></div>'


def _curve(counts: list[int]) -> str:
    most = max(counts, default=0)
    if not most:
        return ""
    points = " ".join(f"{i},{30 - 29 * n / most:.1f}" for i, n in enumerate([*counts, counts[-1]]))
    title = "events over time, from first to last"
    return (
        f'<svg class="curve" viewBox="0 0 {len(counts)} 30" preserveAspectRatio="none" role="img" aria-label="{title}">'
        f'<title>{title}</title><polygon points="0,30 {points} {len(counts)},30"/></svg>'
    )


def _balance(on: float) -> str:
    bar = f'<div class="balance" title="ON blue, OFF red"><i style="width:{on:.1%}"></i></div>'
    return f"{bar}<small>{on:.0%} ON</small>"
