"""Creates avatars from uploaded pictures: small, square, upright and without metadata.

avatar = await avatar_maker.make(data)
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from famichat.attachments.content_type import PICTURES, SNIFFED_BYTES, sniff
from famichat.attachments.errors import PictureTooLarge, PictureUnreadable
from famichat.attachments.picture import PictureRefused, make_avatar

EDGE = 256
_AT_ONCE = 2


class AvatarMaker:
    """Creates avatars, at most two at the same time."""

    def __init__(self) -> None:
        self._workers = ThreadPoolExecutor(_AT_ONCE, "portraits")

    def close(self) -> None:
        """Finish running work."""
        self._workers.shutdown(wait=True)

    async def make(self, data: bytes) -> bytes:
        """Return the avatar of a picture as WebP, at most `EDGE` pixels wide and high.

        Raises:
            PictureTooLarge: the picture has too many pixels.
            PictureUnreadable: it is damaged, or its format is not supported.
        """
        return await asyncio.get_running_loop().run_in_executor(self._workers, _make, data)


def _make(data: bytes) -> bytes:
    content_type = sniff(data[:SNIFFED_BYTES])
    if content_type not in PICTURES:
        raise PictureUnreadable
    try:
        return make_avatar([data], content_type, EDGE)
    except PictureRefused as refused:
        raise (PictureTooLarge if refused.too_many_pixels else PictureUnreadable) from refused
