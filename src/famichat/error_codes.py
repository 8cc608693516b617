"""One table for every error: its stable code, its HTTP status, and one sentence for people.

`docs/errors.md` lists the same codes; a test compares the two. Terminal commands read it too, so it needs nothing else.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Code:
    """What a code means: its HTTP status, and what a person may be told."""

    status: int
    title: str


CODES: dict[str, Code] = {
    # who is asking
    "unauthorized": Code(401, "Sign in first."),
    "invalid_credentials": Code(401, "The name or the password is wrong."),
    "invalid_token": Code(401, "This sign-in is not valid any more."),
    "rate_limited": Code(429, "That was too often; try again a little later."),
    # what is asked about
    "not_found": Code(404, "There is nothing here that you can see."),
    "invalid_invite": Code(404, "This invitation is not valid any more."),
    "invalid_topic_format": Code(400, "There is no such topic."),
    # how it is asked
    "invalid_json": Code(400, "The request is not the strict JSON that this server takes."),
    "invalid_request": Code(422, "A field of the request is missing or malformed."),
    "invalid_message": Code(422, "A field of the message is missing or malformed."),
    "message_too_large": Code(413, "The message is larger than 64 KiB."),
    "request_too_large": Code(413, "The request is too large."),
    "method_not_allowed": Code(405, "This address does not do that."),
    "unmatched_event": Code(400, "There is no such event."),
    # accounts
    "invalid_username": Code(422, "This name cannot be used."),
    "username_taken": Code(409, "This name, or one that looks like it, is taken."),
    "invalid_display_name": Code(422, "Nobody can be shown under this name."),
    "display_name_taken": Code(409, "Somebody else goes by this name, or by one that looks like it."),
    "invalid_email": Code(422, "This is not an e-mail address."),
    "email_taken": Code(409, "This e-mail address cannot be used."),
    "weak_password": Code(422, "This password is too easy to guess."),
    "invalid_device_name": Code(422, "A device has a name of 1 to 64 characters that can be seen."),
    "invalid_passkey": Code(422, "This passkey cannot be used here."),
    "passkeys_unavailable": Code(409, "Passkeys need a server with a name, reached over HTTPS."),
    "already_set_up": Code(409, "This server has been set up already."),
    "invalid_setup_code": Code(403, "This is not the code that the server printed."),
    # what the rules of a family say
    "conflict": Code(409, "This was said differently before."),
    "not_sender": Code(403, "Only whoever sent a message can do this to it."),
    "message_deleted": Code(409, "This message was deleted."),
    "too_late": Code(409, "A message can be edited for a day, and no longer."),
    "encryption_required": Code(422, "Only encrypted messages are taken here."),
    "invalid_encryption_metadata": Code(422, "The encryption of the message is not described as it must be."),
    "invalid_members": Code(422, "A group needs three or more people of one family."),
    "invalid_name": Code(422, "A name has 1 to 100 characters."),
    "not_admin": Code(403, "Only an admin can do this."),
    "last_admin": Code(409, "Somebody must stay admin: make another one first."),
    "not_participant": Code(409, "This person does not take part."),
    "not_group_conversation": Code(409, "Only a group can do this."),
    # photos and files
    "file_too_large": Code(413, "The file is larger than this server takes."),
    "quota_exceeded": Code(413, "With this file you would keep more here than you may."),
    "too_many_uploads": Code(409, "Too many uploads wait to be sent; send or cancel some first."),
    "wrong_offset": Code(409, "The upload goes on at another place."),
    "upload_busy": Code(409, "Another part of this upload is just arriving."),
    "checksum_mismatch": Code(422, "What arrived is not what was announced; begin again."),
    "picture_too_large": Code(422, "The picture has too many pixels."),
    "picture_unreadable": Code(
        422, "This picture cannot be cleaned of where it was taken; send it as it is, or another."
    ),
    "range_not_satisfiable": Code(416, "The file ends before that."),
    "server_full": Code(503, "The server has no room left for files."),
    # what is wrong with the server
    "unavailable": Code(503, "The server cannot do this just now; nothing was lost, try again."),
    "internal_error": Code(500, "Something is broken here; it was written down."),
}
