"""Flow files: .flo read and written, KITTI 16-bit PNG and .pfm read.

A flow is (H, W, 2) float32 in pixels, u to the right and v down; NaN where it is unknown.
"""

from pathlib import Path

import av
import numpy as np

from segflow.errors import DataError, MissingDataError

FLOW_SUFFIXES = frozenset({".flo", ".png", ".pfm"})

_FLO_MAGIC = b"PIEH"  # the float32 202021.25, little endian
_FLO_UNKNOWN_ABOVE = 1e9
_FLO_UNKNOWN = np.float32(1e10)


def read_flow(path: str | Path) -> np.ndarray:
    """Read a flow file; its suffix says which kind."""
    readers = {".flo": read_flo, ".png": read_kitti_png, ".pfm": read_pfm_flow}
    suffix = Path(path).suffix.lower()
    if suffix not in readers:
        raise DataError(f"{path}: flow files end in {', '.join(sorted(readers))}")
    return readers[suffix](path)


def read_flo(path: str | Path) -> np.ndarray:
    """Middlebury .flo: "PIEH", int32 width, int32 height, then float32 u, v row by row."""
    content = _read_bytes(path)
    if content[:4] != _FLO_MAGIC:
        raise DataError(f"{path}: not a .flo file, it begins with {content[:4]!r}, not b'PIEH'")
    if len(content) < 12:
        raise DataError(f"{path}: truncated, {len(content)} bytes are less than the header's 12")
    width, height = (int(value) for value in np.frombuffer(content, "<i4", 2, offset=4))
    if width <= 0 or height <= 0:
        raise DataError(f"{path}: size {width}x{height} in the header")
    expected = 12 + 8 * width * height
    if len(content) < expected:
        raise DataError(
            f"{path}: truncated, {len(content)} bytes; {width}x{height} needs {expected}"
        )
    values = np.frombuffer(content, "<f4", 2 * width * height, offset=12)
    flow = values.reshape(height, width, 2).astype(np.float32)
    return _hide_unknown(flow, _is_unknown(flow))


def write_flo(path: str | Path, flow: np.ndarray) -> None:
    """Write (H, W, 2) as Middlebury .flo; NaN becomes 1e10, which readers take as unknown."""
    flow = np.asarray(flow)
    if flow.ndim != 3 or flow.shape[2] != 2:
        raise DataError(f"{path}: a flow is (H, W, 2), got {flow.shape}")
    height, width = flow.shape[:2]
    values = np.where(np.isnan(flow), _FLO_UNKNOWN, flow).astype("<f4")
    header = _FLO_MAGIC + np.array([width, height], "<i4").tobytes()
    Path(path).write_bytes(header + values.tobytes())


def read_kitti_png(path: str | Path) -> np.ndarray:
    """KITTI flow: 16-bit RGB PNG, u = (R - 2^15) / 64, v = (G - 2^15) / 64, known where B > 0."""
    channels = _read_png16(path)
    flow = (channels[:, :, :2].astype(np.float32) - 32768.0) / 64.0
    return _hide_unknown(flow, channels[:, :, 2] == 0)


def is_kitti_png(path: str | Path) -> bool:
    """Whether a file begins as a 16-bit RGB PNG, the only kind that can hold a flow."""
    with Path(path).open("rb") as file:
        return _png_kind(file.read(26)) == (16, 2)


def read_pfm(path: str | Path) -> np.ndarray:
    """Read .pfm as (H, W) float32 ("Pf") or (H, W, 3) float32 ("PF"), top row first."""
    content = _read_bytes(path)
    fields, offset = _pfm_header(path, content)
    channels = {b"PF": 3, b"Pf": 1}.get(fields[0])
    if channels is None:
        raise DataError(f"{path}: not a .pfm file, it begins with {fields[0][:8]!r}")
    try:
        width, height, scale = int(fields[1]), int(fields[2]), float(fields[3])
    except ValueError:
        raise DataError(f"{path}: bad .pfm header {b' '.join(fields)!r}") from None
    if width <= 0 or height <= 0 or scale == 0:
        raise DataError(f"{path}: .pfm of {width}x{height} with scale {scale:g}")
    count = width * height * channels
    if len(content) < offset + 4 * count:
        raise DataError(
            f"{path}: truncated, {len(content)} bytes; {width}x{height} with {channels} "
            f"channels needs {offset + 4 * count}"
        )
    values = np.frombuffer(content, "<f4" if scale < 0 else ">f4", count, offset)
    shape = (height, width) if channels == 1 else (height, width, channels)
    # Rows are stored from the bottom up.
    return np.ascontiguousarray(values.reshape(shape)[::-1], dtype=np.float32)


def read_pfm_flow(path: str | Path) -> np.ndarray:
    """Flow of a three-channel .pfm (FlyingThings3D): u, v, and a third channel without meaning."""
    values = read_pfm(path)
    if values.ndim != 3:
        raise DataError(f"{path}: a flow needs the three channels of a PF file, this is a Pf file")
    flow = np.ascontiguousarray(values[:, :, :2])
    return _hide_unknown(flow, _is_unknown(flow))


def _is_unknown(flow: np.ndarray) -> np.ndarray:
    """(H, W) bool: a component is NaN or beyond 1e9 in absolute value."""
    return np.logical_not(np.all(np.abs(flow) <= _FLO_UNKNOWN_ABOVE, axis=2))


def _hide_unknown(flow: np.ndarray, unknown: np.ndarray) -> np.ndarray:
    flow[unknown] = np.nan
    return flow


def _read_bytes(path: str | Path) -> bytes:
    try:
        return Path(path).read_bytes()
    except FileNotFoundError:
        raise MissingDataError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise DataError(f"{path}: a folder, not a flow file") from None


def _pfm_header(path: str | Path, content: bytes) -> tuple[list[bytes], int]:
    """The four fields type, width, height, scale, and where the values begin."""
    fields: list[bytes] = []
    offset = 0
    while len(fields) < 4:
        end = content.find(b"\n", offset, offset + 256)
        if end < 0:
            raise DataError(f"{path}: not a .pfm file, its header does not end")
        line = content[offset:end].strip()
        offset = end + 1
        if not line.startswith(b"#"):
            fields += line.split()
    return fields[:4], offset


def _read_png16(path: str | Path) -> np.ndarray:
    """(H, W, 3) uint16 RGB. Pillow would give 8 bits; FFmpeg's decoder keeps all 16."""
    content = _read_bytes(path)
    kind = _png_kind(content)
    if kind is None:
        raise DataError(f"{path}: not a PNG file")
    if kind != (16, 2):
        raise DataError(
            f"{path}: KITTI flow is a 16-bit RGB PNG; this has {kind[0]} bits a channel"
        )
    try:
        decoder = av.CodecContext.create("png", "r")
        frames = decoder.decode(av.Packet(content)) + decoder.decode(None)
    except av.FFmpegError as error:
        raise DataError(f"{path}: damaged PNG file ({error.strerror})") from error
    if not frames:
        raise DataError(f"{path}: damaged PNG file")
    return frames[0].to_ndarray(format="rgb48le")


def _png_kind(content: bytes) -> tuple[int, int] | None:
    """Bits a channel and colour type in the header of a PNG file, None if it is not one."""
    if content[:8] != b"\x89PNG\r\n\x1a\n" or len(content) < 26:
        return None
    return content[24], content[25]
