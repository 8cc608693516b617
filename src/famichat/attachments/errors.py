"""Expected errors of uploads and downloads. Each has a stable `code`."""

from famichat.errors import FamichatError


class AttachmentError(FamichatError):
    """Base class of this package's expected errors."""


class FileTooLarge(AttachmentError):
    """The file exceeds the size limit, `details["max_bytes"]`."""

    code = "file_too_large"


class QuotaExceeded(AttachmentError):
    """The file would exceed the user's quota; `details` holds `used_bytes` and `quota_bytes`."""

    code = "quota_exceeded"


class TooManyUploads(AttachmentError):
    """The user has too many unsent uploads; send or cancel some first."""

    code = "too_many_uploads"


class ServerFull(AttachmentError):
    """The disk has no room beyond what is reserved for messages."""

    code = "server_full"


class WrongOffset(AttachmentError):
    """The bytes do not start at the upload's current offset, `details["offset"]`."""

    code = "wrong_offset"


class UploadBusy(AttachmentError):
    """Another request is sending bytes of this upload; ask for its offset in a moment."""

    code = "upload_busy"


class ChecksumMismatch(AttachmentError):
    """The received bytes do not match the checksum; the upload restarts."""

    code = "checksum_mismatch"


class PictureTooLarge(AttachmentError):
    """The picture has too many pixels."""

    code = "picture_too_large"


class PictureUnreadable(AttachmentError):
    """The picture cannot be decoded, so its metadata, such as the location, cannot be removed."""

    code = "picture_unreadable"


class FileDamaged(AttachmentError):
    """A stored file or its row was modified on the disk, so that it cannot be decrypted."""

    code = "file_damaged"


class RangeNotSatisfiable(AttachmentError):
    """The requested range starts beyond the end of the file, `details["size"]`."""

    code = "range_not_satisfiable"
