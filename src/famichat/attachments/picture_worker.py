"""Worker process that decodes one picture from standard input and writes the result to standard output.

    python -m famichat.attachments.picture_worker JPEG <max pixels> <thumbnail edge> clean|keep|square

The output is a line of JSON with the sizes of what follows: the cleaned picture (only with `clean`), and the thumbnail
of the whole picture or, with `square`, of its centre. If a decoder fails, the process ends without output.
"""

import io
import json
import resource
import sys
from typing import IO, Any

from PIL import AvifImagePlugin, Image, ImageOps, ImageSequence
from PIL.TiffImagePlugin import TiffImageFile

_MEMORY, _CPU_SECONDS = 1024 * 1024 * 1024, 20
_QUALITY = {"JPEG": {"quality": 90}, "WEBP": {"quality": 90, "method": 2}, "PNG": {"compress_level": 6}, "GIF": {}}
_THUMBNAIL_QUALITY = 78
# TIFF 6.0 and DNG 1.7 tags: NewSubfileType, its reduced-resolution flag, and SubIFDs and DNGVersion of raw pictures.
_SUBFILE, _REDUCED, _RAW = 254, 1, {330, 50706}


def main() -> None:
    """Set resource limits and process the picture as the command line says."""
    for limit, most in (
        (resource.RLIMIT_AS, _MEMORY),
        (resource.RLIMIT_CPU, _CPU_SECONDS),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (most, most))
    kind, pixels, edge, how = sys.argv[1:]
    work(
        sys.stdin.buffer,
        sys.stdout.buffer,
        kind,
        pixels=int(pixels),
        edge=int(edge),
        keep=how != "clean",
        square=how == "square",
    )


def work(
    source: IO[bytes], answer: IO[bytes], kind: str, *, pixels: int, edge: int, keep: bool, square: bool = False
) -> None:
    """Process one picture; see the module's docstring."""
    Image.MAX_IMAGE_PIXELS = None  # the caller's limit is checked below, before anything is decoded
    image = _opened(source.read(), kind)
    if image.width * image.height * _frames(image) > pixels:
        answer.write(b'{"too_many_pixels": 1}\n')
        return
    small = io.BytesIO()
    upright = _upright(image)
    _thumbnail(_square(upright) if square else upright, edge).save(small, "WEBP", quality=_THUMBNAIL_QUALITY)
    new = b"" if keep else _rewritten(image, upright, kind)
    told = {
        "width": upright.width,
        "height": upright.height,
        "picture": len(new),
        "thumbnail": small.getbuffer().nbytes,
    }
    answer.write(json.dumps(told).encode() + b"\n" + new + small.getvalue())
    answer.flush()


def _opened(data: bytes, kind: str) -> Image.Image:
    # One thread: more would take memory that a large picture needs.
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    if kind == "HEIF":
        import pillow_heif  # noqa: PLC0415 - a decoder needed for this type only

        pillow_heif.register_heif_opener(thumbnails=False, decode_threads=1)
    image = Image.open(io.BytesIO(data), formats=[kind])
    if isinstance(image, TiffImageFile) and not _is_all_there_is(image):
        message = "more than a picture"
        raise ValueError(message)
    return image


def _is_all_there_is(tiff: TiffImageFile) -> bool:
    """Return whether the TIFF holds one plain picture, so that converting it loses nothing (no pages, no raw data)."""
    one = tiff.n_frames == 1 and not tiff.tag_v2.get(_SUBFILE, 0) & _REDUCED and not _RAW & set(tiff.tag_v2)
    return one and not tiff.mode.startswith(("I", "F"))


def _frames(image: Image.Image) -> int:
    # JPEG and HEIC files of some phones contain further pictures after the first, which viewers do not show.
    return 1 if image.format in {"JPEG", "MPO", "HEIF"} else int(getattr(image, "n_frames", 1))


def _upright(image: Image.Image) -> Image.Image:
    """Return the (first) picture, rotated per EXIF orientation, without metadata except the colour profile."""
    return _bare(ImageOps.exif_transpose(image))


def _bare(image: Image.Image) -> Image.Image:
    kept = ("icc_profile", "transparency")
    image.info = {name: image.info[name] for name in kept if name in image.info}
    return image


def _square(image: Image.Image) -> Image.Image:
    edge = min(image.size)
    left, top = (image.width - edge) // 2, (image.height - edge) // 2
    return image.crop((left, top, left + edge, top + edge))


def _thumbnail(image: Image.Image, edge: int) -> Image.Image:
    if image.mode not in {"RGB", "RGBA"}:
        image = _in_colours(image, "RGBA" if image.has_transparency_data else "RGB")
    small = ImageOps.contain(image, (edge, edge)) if max(image.size) > edge else image.copy()
    return _bare(small)


def _in_colours(image: Image.Image, mode: str) -> Image.Image:
    changed = image.convert(mode)
    if image.mode not in {"P", "PA", "RGB", "RGBA"}:
        changed.info.pop("icc_profile", None)  # the profile describes the original colour space
    return _bare(changed)


def _rewritten(image: Image.Image, upright: Image.Image, kind: str) -> bytes:
    new = io.BytesIO()
    moves = _frames(image) > 1
    if kind not in _QUALITY:
        kind = "WEBP" if moves or upright.has_transparency_data else "JPEG"
    options: dict[str, Any] = {**_QUALITY[kind]}
    if moves:
        frames = [_bare(frame.copy()) for frame in ImageSequence.Iterator(image)]
        waits = [frame.info.get("duration", 0) for frame in ImageSequence.Iterator(image)]
        options |= {"save_all": True, "append_images": frames[1:], "duration": waits, "loop": image.info.get("loop", 1)}
        upright = frames[0]
    if kind == "JPEG" and upright.mode not in {"L", "RGB"}:
        upright = _in_colours(upright, "RGB")
    upright.save(new, kind, icc_profile=upright.info.get("icc_profile"), **options)
    return new.getvalue()


if __name__ == "__main__":
    main()
