"""What can be wrong with what somebody uploads or fetches: each error has a stable `code`."""

from typing import ClassVar


class AttachmentError(Exception):
    """The root of this package's expected errors.

    Attributes:
        code: what programs read; listed in `docs/errors.md`.
        details: further fields for the answer, where they help.
    """

    code: ClassVar[str]

    def __init__(self, **details: object) -> None:
        super().__init__(self.code)
        self.details = details


class FileTooLarge(AttachmentError):
    """Nobody may upload so large a file here; `details["max_bytes"]` says how large one may be."""

    code = "file_too_large"


class QuotaExceeded(AttachmentError):
    """With it, this person would keep more here than one may; `details` say how much there is, and may be."""

    code = "quota_exceeded"


class TooManyUploads(AttachmentError):
    """This person has begun too many uploads that were not sent; send or cancel some first."""

    code = "too_many_uploads"


class ServerFull(AttachmentError):
    """The disk has no room for it that the messages do not need."""

    code = "server_full"


class WrongOffset(AttachmentError):
    """The upload does not go on there; `details["offset"]` says where it does."""

    code = "wrong_offset"


class UploadBusy(AttachmentError):
    """Somebody is sending a part of this upload already; ask where it stands in a moment."""

    code = "upload_busy"


class ChecksumMismatch(AttachmentError):
    """What arrived is not what was announced; the upload begins anew."""

    code = "checksum_mismatch"


class PictureTooLarge(AttachmentError):
    """The picture has too many pixels."""

    code = "picture_too_large"


class PictureUnreadable(AttachmentError):
    """What a picture says about where it was taken cannot be removed from this one."""

    code = "picture_unreadable"


class RangeNotSatisfiable(AttachmentError):
    """The file ends before what was asked for; `details["size"]` says where."""

    code = "range_not_satisfiable"
