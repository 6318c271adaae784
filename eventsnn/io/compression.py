"""The compressions of AEDAT 4 packets, each packet one LZ4 or zstd frame; nothing grows beyond a bound."""

from __future__ import annotations

from .errors import EventFormatError

COMPRESSIONS = ("none", "LZ4", "LZ4 high", "zstd", "zstd high")
_ROOM = 1 << 24  # bytes a small packet may grow to; recorders write some 10 ms a packet
_WINDOW = 1 << 25


def expand(payload: bytes, code: int) -> bytes:
    """The packet without its compression, never more than ``most`` bytes."""
    if code == 0:
        return payload
    return lz4_frame(payload) if code in (1, 2) else zstd_frame(payload)


def most(payload: bytes) -> int:
    """How many bytes a packet may grow to."""
    return _ROOM + 8 * len(payload)


def lz4_frame(payload: bytes) -> bytes:
    """One LZ4 frame expanded."""
    import lz4.frame

    expander, data, whole, limit = lz4.frame.LZ4FrameDecompressor(), payload, bytearray(), most(payload)
    while not expander.eof and len(whole) <= limit:  # in steps: room for all it might be would be cold each time
        try:
            piece = expander.decompress(data, max_length=4 * len(payload) + 64)
        except (RuntimeError, ValueError) as error:
            raise EventFormatError(f"an LZ4 frame is damaged: {error}") from error
        if expander.eof and not whole:
            return piece
        data = b""
        whole += piece
        if not piece:
            break
    if not expander.eof:
        raise EventFormatError(f"an LZ4 frame is incomplete or grows beyond {limit:,} bytes")
    return bytes(whole)


def zstd_frame(payload: bytes) -> bytes:
    """One zstd frame expanded."""
    import zstandard

    whole, limit = bytearray(), most(payload)
    try:
        with zstandard.ZstdDecompressor(max_window_size=_WINDOW).stream_reader(payload) as expander:
            while len(whole) <= limit and (piece := expander.read(4 * len(payload) + 64)):
                whole += piece
    except (zstandard.ZstdError, MemoryError) as error:
        raise EventFormatError(f"a zstd frame is damaged: {error}") from error
    if len(whole) > limit:
        raise EventFormatError(f"a zstd frame grows beyond {limit:,} bytes")
    return bytes(whole)


def shrink(data: bytes, code: int) -> bytes:
    """The packet compressed; of the two kinds of LZ4 the fast one."""
    if code == 0:
        return data
    if code in (1, 2):
        import lz4.frame

        return bytes(lz4.frame.compress(data))
    import zstandard

    return zstandard.ZstdCompressor(write_checksum=True).compress(data)
