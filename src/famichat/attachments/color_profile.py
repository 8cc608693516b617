"""ICC profiles for pictures that name their colour space with code points (CICP, ITU-T H.273) instead of a profile.

    profile = named_profile(data, "AVIF")

AVIF and HEIC store the code points in an `nclx` colour box, PNG in a `cICP` chunk. The encoders that write the cleaned
pictures store ICC profiles only.
"""

import re
import struct
from collections.abc import Iterator

_XYZ = tuple[float, float, float]
# H.273, table 2: the primaries that differ visibly from sRGB, as XYZ of red, green and blue, adapted to D50 (ICC.1).
_PRIMARIES: dict[int, tuple[_XYZ, _XYZ, _XYZ]] = {
    9: ((0.67348, 0.27904, -0.00194), (0.16566, 0.67534, 0.02998), (0.12505, 0.04561, 0.79686)),  # BT.2020
    12: ((0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407)),  # Display P3
}
_SRGB_PRIMARIES: tuple[_XYZ, _XYZ, _XYZ] = (
    (0.43607, 0.22249, 0.01392),
    (0.38515, 0.71687, 0.09708),
    (0.14307, 0.06061, 0.71410),
)
# H.273, table 3: pure powers. All others are displayed with the sRGB curve, also HLG, which is made to allow that.
_GAMMAS = {4: 2.2, 5: 2.8, 8: 1.0}
PQ = 16
"""The transfer characteristics of HDR pictures that are wrong on every display unless they are tone-mapped."""
_D50 = (0.9642, 1.0, 0.8249)
_NCLX = re.compile(rb"colrnclx(..)(..)", re.DOTALL)
_CICP = re.compile(rb"\x00\x00\x00\x04cICP(.)(.)", re.DOTALL)


def code_points(data: bytes, kind: str) -> tuple[int, int] | None:
    """Return the colour primaries and transfer characteristics that a picture names, or None.

    Args:
        data: the file.
        kind: Pillow's name of the format.
    """
    if kind == "PNG":
        found = _CICP.search(data, 0, max(0, data.find(b"IDAT")))
    else:
        found = _NCLX.search(data) if kind in {"AVIF", "HEIF"} else None
    return None if found is None else (int.from_bytes(found[1]), int.from_bytes(found[2]))


def named_profile(data: bytes, kind: str) -> bytes | None:
    """Return an ICC profile of the colour space that a picture names; None if it names none, or sRGB."""
    primaries, transfer = code_points(data, kind) or (0, 0)
    if primaries not in _PRIMARIES and transfer not in _GAMMAS:
        return None
    return _profile(_PRIMARIES.get(primaries, _SRGB_PRIMARIES), _GAMMAS.get(transfer))


def _profile(primaries: tuple[_XYZ, _XYZ, _XYZ], gamma: float | None) -> bytes:
    """Return an ICC.1:2010 (version 4) display profile with three primaries and one curve."""
    text = "RGB".encode("utf-16-be")
    name = struct.pack(">4sIII2s2sII", b"mluc", 0, 1, 12, b"en", b"US", len(text), 28) + text
    curve = _curve(gamma)
    tags = {b"desc": name, b"cprt": name, b"wtpt": _xyz(_D50)}
    tags |= {tag: _xyz(value) for tag, value in zip((b"rXYZ", b"gXYZ", b"bXYZ"), primaries, strict=True)}
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    body = b"".join(_tag_table(tags))
    header = struct.pack(">I4xI4s4s4s12x4s28x", 128 + len(body), 0x04200000, b"mntr", b"RGB ", b"XYZ ", b"acsp")
    return (header + _numbers(*_D50)).ljust(128, b"\0") + body


def _tag_table(tags: dict[bytes, bytes]) -> Iterator[bytes]:
    yield struct.pack(">I", len(tags))
    place = 128 + 4 + 12 * len(tags)
    for name, value in tags.items():
        yield struct.pack(">4sII", name, place, len(value))
        place += len(_padded(value))
    yield from map(_padded, tags.values())


def _padded(value: bytes) -> bytes:
    return value + b"\0" * (-len(value) % 4)


def _curve(gamma: float | None) -> bytes:
    if gamma is not None:
        return struct.pack(">4sIHH", b"para", 0, 0, 0) + _numbers(gamma)
    # IEC 61966-2-1 (sRGB), as function type 3.
    return struct.pack(">4sIHH", b"para", 0, 3, 0) + _numbers(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)


def _xyz(value: _XYZ) -> bytes:
    return struct.pack(">4sI", b"XYZ ", 0) + _numbers(*value)


def _numbers(*values: float) -> bytes:
    """Encode values as s15Fixed16Number."""
    return struct.pack(f">{len(values)}i", *(round(value * 65536) for value in values))
