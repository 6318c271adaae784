"""Bring a dataset's files to a folder: download, check, unpack; or say what to fetch, from where, and to which folder.

Downloading and unpacking is done by tonic, imported only then.
"""

from __future__ import annotations

import hashlib
import os
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

from eventsnn.io.atomic import whole

from .card import Card, File

_ARCHIVES = (".zip", ".tar.gz", ".tgz")
_DAMAGE = (zipfile.BadZipFile, tarfile.ReadError, zlib.error, EOFError)


def fetch(card: Card, root: Path, split: str, recordings: Sequence[str] = (), *, download: bool = True) -> None:
    """Put the files of a split under ``root``; archives that lie there already are checked and unpacked.

    Raises FileNotFoundError, which says what to fetch, where nothing can be downloaded, and ValueError for an archive
    that is damaged or has another checksum than the card.
    """
    files = _needed(card, split, recordings)
    missing = [file for file in files if not (root / file.name).is_file()]
    reason = "nothing is to be downloaded (download=False)"
    by_hand = [file for file in missing if file.by_hand or not file.url]
    if by_hand:
        reason = "its authors want it fetched by hand"
    elif card.recordings and not recordings and missing:
        reason = f"it is large: name the recordings to download, as in recordings=[{card.recordings[0]!r}]"
    elif download:
        for file in missing:
            try:
                _download(file, root)
            except (OSError, RuntimeError, ImportError) as error:
                raise FileNotFoundError(_what_to_do(card, missing, root, f"downloading failed: {error}")) from error
        missing = []
    if missing:
        raise FileNotFoundError(_what_to_do(card, missing, root, reason))
    for file in files:
        place = root / file.name
        _check(place, file)
        if file.name.endswith(_ARCHIVES):
            _unpack(place)


def _needed(card: Card, split: str, recordings: Sequence[str]) -> list[File]:
    strange = set(recordings) - set(card.recordings)
    if strange:
        known = ", ".join(card.recordings) or "none: it comes as a whole"
        raise ValueError(f"{card.title} has no recordings {', '.join(sorted(strange))}; there are {known}")
    return [
        file
        for file in card.files
        if file.split in ("", split) and (not recordings or file.recording in ("", *recordings))
    ]


def _what_to_do(card: Card, files: Sequence[File], root: Path, reason: str) -> str:
    shown = [
        f"{file.url or card.home} -> {root / file.name}"
        + (f" (md5 {file.md5})" if file.md5 else " (md5 not published)")
        for file in files[:4]
    ]
    more = f" and {len(files) - 4} more of that kind;" if len(files) > 4 else ""
    return (
        f"{card.title} is not in {root} and {reason}. Fetch {'; '.join(shown)};{more} then call again. "
        f"Or point root to the unpacked files: {card.layout}"
    )


def _download(file: File, root: Path) -> None:
    from tonic.download_utils import download_url

    (root / file.name).parent.mkdir(parents=True, exist_ok=True)
    with whole(root / file.name) as path:
        download_url(file.url, str(path.parent), filename=path.name)
        _check(path, file)


def _check(path: Path, file: File) -> None:
    if not file.md5:
        return
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as opened:
        while block := opened.read(1 << 20):
            digest.update(block)
    if digest.hexdigest() != file.md5:
        raise ValueError(
            f"{path.name}: the checksum is wrong (md5 {digest.hexdigest()}, expected {file.md5}): it was cut "
            f"short, damaged, or is another edition; fetch it again from {file.url}"
        )


def _unpack(archive: Path) -> None:
    """Unpack an archive, and the archives in it, beside it; nothing appears there before all is unpacked."""
    from tonic.download_utils import extract_archive

    root = archive.parent
    with tempfile.TemporaryDirectory(prefix=f".{archive.name}.", suffix=".part", dir=root) as room:
        try:
            extract_archive(str(archive), room)
            for inner in sorted(Path(room).rglob("*")):
                if inner.name.endswith(_ARCHIVES):
                    extract_archive(str(inner), str(inner.parent))
                    inner.unlink()
        except _DAMAGE as error:
            raise ValueError(f"{archive}: the archive is damaged ({error}); delete it and fetch it again") from error
        for part in sorted(Path(room).rglob("*")):
            final = root / part.relative_to(room)
            if part.is_dir():
                final.mkdir(exist_ok=True)
            else:
                os.replace(part, final)
