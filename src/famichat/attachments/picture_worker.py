"""Worker process that decodes one picture from standard input and writes the result to standard output.

    python -m famichat.attachments.picture_worker JPEG <max pixels> <thumbnail edge> clean|keep|square

The process is confined (`sandbox`) before it reads the picture. The output is a line of JSON with the sizes of what
follows, and whether the process was confined: the cleaned picture (only with `clean`), and the thumbnail of the whole
picture or, with `square`, of its centre. If a decoder fails, the process ends without output. If the memory does not
suffice, the picture is reported as too large.
Metadata of JPEGs that are too large to be decoded, and of PNGs with more colours than the encoder writes (16 bits, code
points or another gamma), is removed losslessly.
"""

import io
import json
import resource
import struct
import sys
from contextlib import suppress
from importlib import import_module
from typing import IO, Any

from PIL import AvifImagePlugin, Image, ImageCms, ImageFile, ImageSequence
from PIL.ExifTags import Base
from PIL.Image import Transpose
from PIL.JpegImagePlugin import JpegImageFile
from PIL.TiffImagePlugin import TiffImageFile

from famichat.attachments.color_profile import PQ, code_points, named_profile
from famichat.attachments.lossless import without_metadata
from famichat.attachments.sandbox import confine

_MEMORY, _CPU_SECONDS = 1024 * 1024 * 1024, 20
DECODED_PIXELS = 64_000_000
"""The largest picture that is decoded at full size: 256 MB per copy. Larger JPEGs are decoded at a reduced size."""
_QUALITY = {"JPEG": {"quality": 90}, "WEBP": {"quality": 90, "method": 2}, "PNG": {"compress_level": 6}, "GIF": {}}
_THUMBNAIL_QUALITY = 78
# PNG 3rd edition, 11.2.1: the place of the bit depth in a file, and its value that Pillow reduces to 8.
_BIT_DEPTH, _DEEP = 24, 16
# The EXIF orientations that need a change, and the change.
_TURNS = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}
_SIDEWAYS = 5  # from this orientation on, width and height change places
# TIFF 6.0 and DNG 1.7 tags: NewSubfileType, its reduced-resolution flag, and SubIFDs and DNGVersion of raw pictures.
_SUBFILE, _REDUCED, _RAW = 254, 1, {330, 50706}
_BITS_PER_SAMPLE, _SHALLOW = 258, 8
_SRGB_GAMMA, _SAME_GAMMA = 0.45455, 0.01
_TOO_MANY = b'{"too_many_pixels": 1}\n'
_NO_MEMORY = "encoding error 1"  # VP8_ENC_ERROR_OUT_OF_MEMORY of libwebp, as Pillow reports it
_sandboxed = False


def main() -> None:
    """Set resource limits, confine the process and process the picture as the command line says."""
    for limit, most in (
        (resource.RLIMIT_AS, _MEMORY),
        (resource.RLIMIT_CPU, _CPU_SECONDS),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (most, most))
    kind, pixels, edge, how = sys.argv[1:]
    _load_decoders(kind)
    global _sandboxed  # noqa: PLW0603 - a property of the process
    _sandboxed = confine()
    work(
        sys.stdin.buffer,
        sys.stdout.buffer,
        kind,
        pixels=int(pixels),
        edge=int(edge),
        keep=how != "clean",
        square=how == "square",
    )


def _load_decoders(kind: str) -> None:
    """Import what Pillow imports when it first needs it, because a confined process cannot open files."""
    Image.init()
    ImageCms.createProfile("sRGB")
    if kind == "HEIF":
        import_module("pillow_heif")


def work(
    source: IO[bytes], answer: IO[bytes], kind: str, *, pixels: int, edge: int, keep: bool, square: bool = False
) -> None:
    """Process one picture; see the module's docstring."""
    try:
        _work(source.read(), answer, kind, pixels=pixels, edge=edge, keep=keep, square=square)
    except MemoryError:
        answer.write(_TOO_MANY)


def _work(data: bytes, answer: IO[bytes], kind: str, *, pixels: int, edge: int, keep: bool, square: bool) -> None:
    Image.MAX_IMAGE_PIXELS = None  # the limits are checked below, before anything is decoded
    image = _opened(data, kind)
    area = image.width * image.height * _frames(image)
    reducible = isinstance(image, JpegImageFile)
    if area > (pixels if reducible else min(pixels, DECODED_PIXELS)):
        answer.write(_TOO_MANY)
        return
    size, orientation = image.size, _orientation(image)
    as_it_is = area > DECODED_PIXELS or (kind == "PNG" and _has_more_colours(image, data))
    if reducible and (keep or as_it_is):
        image.draft(None, _fitted(size, 2 * edge, square=square))
    # The frames of an animation are decoded one after another, from a picture that still has all its information.
    upright = _upright(image if _frames(image) == 1 else image.copy(), orientation)
    small = io.BytesIO()
    _thumbnail(_square(upright) if square else upright, edge).save(small, "WEBP", quality=_THUMBNAIL_QUALITY)
    if keep:
        new = b""
    elif as_it_is:
        new = without_metadata(data, kind, orientation)
    else:
        new = _rewritten(image, upright, kind, orientation)
    width, height = reversed(size) if orientation >= _SIDEWAYS else size
    sizes = {"width": width, "height": height, "picture": len(new), "thumbnail": small.getbuffer().nbytes}
    header = {**sizes, "sandboxed": int(_sandboxed)}
    answer.write(json.dumps(header).encode() + b"\n")
    answer.write(new)
    answer.write(small.getbuffer())
    answer.flush()


def _opened(data: bytes, kind: str) -> Image.Image:
    # One thread: more would take memory that a large picture needs.
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    # Truncated pictures are decoded as far as possible, but the HEIF decoder would return a black picture.
    ImageFile.LOAD_TRUNCATED_IMAGES = kind != "HEIF"
    if kind == "HEIF":
        import pillow_heif  # noqa: PLC0415 - a decoder needed for this type only

        pillow_heif.register_heif_opener(thumbnails=False, decode_threads=1)
    image = Image.open(io.BytesIO(data), formats=[kind])
    if isinstance(image, TiffImageFile) and not _is_all_there_is(image):
        message = "more than a picture"
        raise ValueError(message)
    points = code_points(data, kind)
    if kind != "PNG" and points is not None and points[1] == PQ:
        message = "an HDR picture, which would lose its brightness"
        raise ValueError(message)
    # PNG 3rd edition, 4.3: code points have priority over a profile. In other formats it is the other way round.
    if (kind == "PNG" or not image.info.get("icc_profile")) and (profile := named_profile(data, kind)):
        image.info["icc_profile"] = profile
    return image


def _has_more_colours(png: Image.Image, data: bytes) -> bool:
    """Return whether re-encoding a PNG would lose depth or colour information other than a profile."""
    gamma = png.info.get("gamma", _SRGB_GAMMA)
    other_gamma = "srgb" not in png.info and "icc_profile" not in png.info and abs(gamma - _SRGB_GAMMA) > _SAME_GAMMA
    return data[_BIT_DEPTH] == _DEEP or code_points(data, "PNG") is not None or other_gamma


def _is_all_there_is(tiff: TiffImageFile) -> bool:
    """Return whether the TIFF holds one plain picture of 8 bits per colour, so that converting it loses nothing."""
    one = tiff.n_frames == 1 and not tiff.tag_v2.get(_SUBFILE, 0) & _REDUCED and not _RAW & set(tiff.tag_v2)
    return one and max(tiff.tag_v2.get(_BITS_PER_SAMPLE, (1,))) <= _SHALLOW


def _frames(image: Image.Image) -> int:
    # JPEG and HEIC files of some phones contain further pictures after the first, which viewers do not show.
    return 1 if image.format in {"JPEG", "MPO", "HEIF"} else int(getattr(image, "n_frames", 1))


def _orientation(image: Image.Image) -> int:
    if isinstance(image, TiffImageFile):
        return 1  # Pillow turns it upright when it decodes it
    orientation: Any = 1
    with suppress(SyntaxError, ValueError, TypeError, KeyError, OSError, struct.error):  # damaged EXIF data
        orientation = image.getexif().get(Base.Orientation)
    return int(orientation) if orientation in _TURNS else 1


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    """Return a picture (of an animation the first), turned upright, without metadata except the colour profile."""
    image.load()
    return _bare(image.transpose(_TURNS[orientation]) if orientation in _TURNS else image)


def _bare(image: Image.Image) -> Image.Image:
    kept = ("icc_profile", "transparency")
    image.info = {name: image.info[name] for name in kept if name in image.info}
    return image


def _square(image: Image.Image) -> Image.Image:
    edge = min(image.size)
    left, top = (image.width - edge) // 2, (image.height - edge) // 2
    return image.crop((left, top, left + edge, top + edge))


def _fitted(size: tuple[int, int], edge: int, *, square: bool = False) -> tuple[int, int]:
    """Return a size of the same proportions whose longer side (if `square`, the shorter one) is at most `edge`."""
    factor = min(1, edge / (min(size) if square else max(size)))
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


def _thumbnail(image: Image.Image, edge: int) -> Image.Image:
    if image.mode not in {"L", "RGB", "RGBA", "CMYK", "I;16"}:
        image = _converted(image)  # the others cannot be scaled smoothly
    return _in_srgb(image.resize(_fitted(image.size, edge)))


def _in_srgb(image: Image.Image) -> Image.Image:
    """Return a picture with 8 bits per colour in sRGB, without a colour profile."""
    profile = image.info.get("icc_profile")
    mode = "RGBA" if image.has_transparency_data else "RGB"
    if image.mode.startswith("I;16"):
        image = image.convert("I").point(lambda value: value / 256).convert("L")
    elif image.mode not in {"L", "RGB", "RGBA", "CMYK"}:
        image = _converted(image)
    changed = None
    if profile:
        with suppress(ImageCms.PyCMSError, OSError):  # a damaged profile, or one of other colours
            srgb = ImageCms.createProfile("sRGB")
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            changed = ImageCms.profileToProfile(image, source, srgb, outputMode=mode)
    changed = changed or image.convert(mode)
    changed.info = {}
    return changed


def _converted(image: Image.Image) -> Image.Image:
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def _rewritten(image: Image.Image, upright: Image.Image, kind: str, orientation: int) -> bytes:
    new = io.BytesIO()
    moves = _frames(image) > 1
    if kind not in _QUALITY:
        kind = "WEBP" if moves or upright.has_transparency_data else "JPEG"
    options: dict[str, Any] = {**_QUALITY[kind]}
    if moves:
        upright, more = _animation(image, orientation)
        options |= more
    if kind == "JPEG" and upright.mode not in {"L", "RGB"}:
        upright = _in_srgb(upright)
    try:
        upright.save(new, kind, icc_profile=upright.info.get("icc_profile"), **options)
    except ValueError as error:
        if str(error) == _NO_MEMORY:
            raise MemoryError from error
        raise
    return new.getvalue()


def _animation(image: Image.Image, orientation: int) -> tuple[Image.Image, dict[str, Any]]:
    """Return the first frame, and the options for the encoder to write the others."""
    # A GIF without a loop count plays once. An encoder without this option writes none.
    options = {"loop": image.info["loop"]} if "loop" in image.info else {}
    frames, waits = [], []
    for frame in ImageSequence.Iterator(image):
        waits.append(frame.info.get("duration", 0))
        frames.append(_upright(frame.copy(), orientation))
    return frames[0], {**options, "save_all": True, "append_images": frames[1:], "duration": waits}


if __name__ == "__main__":
    main()
