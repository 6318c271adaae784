"""The compressions of AEDAT 4 packets, each packet one LZ4 or zstd frame; nothing grows beyond a bound."""

from __future__ import annotations

from .errors import EventFormatError

COMPRESSIONS = ("none", "LZ4", "LZ4 high", "zstd", "zstd high")
LARGEST = 1 << 26  # bytes a packet may grow to; recorders write some 10 ms a packet


def expand(payload: bytes, code: int) -> bytes:
    """The packet without its compression, never more than the bound above."""
    if code == 0:
        return payload
    return lz4_frame(payload) if code in (1, 2) else _zstd(payload)


def lz4_frame(payload: bytes) -> bytes:
    """One LZ4 frame expanded."""
    import lz4.frame

    expander, pieces, size = lz4.frame.LZ4FrameDecompressor(), [], 0
    data = payload
    while not expander.eof and size < LARGEST:  # in steps, since room for all it might be would be cold each time
        try:
            pieces.append(expander.decompress(data, max_length=4 * len(payload) + 64))
        except (RuntimeError, ValueError) as error:
            raise EventFormatError(f"an LZ4 frame is damaged: {error}") from error
        data = b""
        size += len(pieces[-1])
        if not pieces[-1]:
            break
    if not expander.eof:
        raise EventFormatError(f"an LZ4 frame is incomplete or grows beyond {LARGEST >> 20} MiB")
    return b"".join(pieces)


def _zstd(payload: bytes) -> bytes:
    import zstandard

    try:
        with zstandard.ZstdDecompressor(max_window_size=LARGEST).stream_reader(payload) as expander:
            data = expander.read(LARGEST)
    except zstandard.ZstdError as error:
        raise EventFormatError(f"a zstd packet is damaged: {error}") from error
    if len(data) == LARGEST:
        raise EventFormatError(f"a zstd packet grows beyond {LARGEST >> 20} MiB")
    return bytes(data)


def shrink(data: bytes, code: int) -> bytes:
    """The packet compressed; of the two kinds of LZ4 the fast one."""
    if code == 0:
        return data
    if code in (1, 2):
        import lz4.frame

        return bytes(lz4.frame.compress(data))
    import zstandard

    return zstandard.ZstdCompressor(write_checksum=True).compress(data)
