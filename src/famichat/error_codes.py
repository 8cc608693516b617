"""The registry of error codes: for each code its HTTP status and a sentence for people.

`docs/errors.md` lists the same codes; a test compares the two. Terminal commands use it too, so it imports nothing.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Code:
    """The HTTP status of an error code and the sentence shown to people."""

    status: int
    title: str


CODES: dict[str, Code] = {
    # authentication
    "unauthorized": Code(401, "Sign in first."),
    "invalid_credentials": Code(401, "Wrong name or password."),
    "invalid_token": Code(401, "The session is no longer valid. Sign in again."),
    "rate_limited": Code(429, "Too many requests. Try again later."),
    # lookup
    "not_found": Code(404, "Not found."),
    "invalid_invite": Code(404, "The invitation is no longer valid."),
    "invalid_reset_link": Code(404, "The link to reset a password is no longer valid."),
    "invalid_confirmation_link": Code(404, "The link to confirm an e-mail address is no longer valid."),
    "invalid_topic_format": Code(400, "The topic is malformed or unknown."),
    # request format
    "invalid_json": Code(400, "The request body is not strict JSON."),
    "invalid_request": Code(422, "A field of the request is missing or invalid."),
    "invalid_message": Code(422, "A field of the message is missing or invalid."),
    "message_too_large": Code(413, "The message is larger than 64 KiB."),
    "request_too_large": Code(413, "The request is too large."),
    "idempotency_key_reused": Code(422, "This Idempotency-Key was already used for a different request."),
    "method_not_allowed": Code(405, "Method not allowed."),
    "unmatched_event": Code(400, "Unknown event."),
    # accounts
    "invalid_username": Code(422, "This name cannot be used."),
    "username_taken": Code(409, "This name is taken, or too similar to another one."),
    "invalid_display_name": Code(422, "This display name cannot be used."),
    "display_name_taken": Code(409, "This display name is taken, or too similar to another one."),
    "name_taken_in_family": Code(
        409, "A member of this family has your name, or a similar one. Change your display name, then accept again."
    ),
    "invalid_email": Code(422, "This is not a valid email address."),
    "email_taken": Code(409, "This email address cannot be used."),
    "weak_password": Code(422, "This password is too easy to guess."),
    "invalid_device_name": Code(422, "A device name must have 1 to 64 visible characters."),
    "invalid_passkey": Code(422, "This passkey cannot be used here."),
    "passkeys_unavailable": Code(409, "Passkeys need HTTPS and a domain name."),
    "already_set_up": Code(409, "The server is already set up."),
    "invalid_setup_code": Code(403, "Wrong setup code."),
    # conversations and messages
    "conflict": Code(409, "This client_id was already used for a different message."),
    "not_sender": Code(403, "Only the sender of the message can do this."),
    "message_deleted": Code(409, "The message was deleted."),
    "message_damaged": Code(410, "This message was damaged on the disk of the server."),
    "too_late": Code(409, "Messages can be edited for 24 hours."),
    "encryption_required": Code(422, "This conversation only accepts encrypted messages."),
    "invalid_encryption_metadata": Code(422, "The encryption metadata is invalid."),
    "epoch_changed": Code(409, "The conversation's keys have changed. Update them, then try again."),
    "encryption_not_ready": Code(409, "Not everyone's devices can encrypt messages yet."),
    "invalid_commit": Code(422, "The change of the conversation's keys cannot be accepted."),
    "invalid_keys": Code(422, "The keys cannot be accepted."),
    "commits_expired": Code(410, "These changes of the conversation's keys are no longer stored."),
    "invalid_members": Code(422, "A group needs at least three people of one family."),
    "invalid_name": Code(422, "A name must have 1 to 100 characters."),
    "not_admin": Code(403, "Only an admin can do this."),
    "last_admin": Code(409, "There must be an admin. Make someone else an admin first."),
    "not_participant": Code(409, "This person is not in the conversation."),
    "not_group_conversation": Code(409, "This only works in groups."),
    "contact_ended": Code(403, "You can't send messages to this person."),
    "too_many_marks": Code(409, "Too many messages are marked here. Remove one of the marks first."),
    "own_account": Code(422, "Choose someone else. This is your own account."),
    "not_guardian": Code(403, "Only an adult of the family can do this."),
    "needs_operator": Code(403, "Only the server's operator can reset this person's password."),
    "needs_second_admin": Code(403, "Another admin of the family has to agree first."),
    "email_unavailable": Code(409, "This server sends no e-mail. Ask your family's admin for a link."),
    "new_admin": Code(403, "You can do this when you have been an admin for a week."),
    "no_reset_agreement": Code(409, "This request has expired or was cancelled. Ask again."),
    "not_child": Code(409, "This only works for child accounts."),
    # photos and files
    "file_too_large": Code(413, "The file is larger than this server allows."),
    "quota_exceeded": Code(413, "This file would exceed your storage quota."),
    "too_many_uploads": Code(409, "Too many unsent uploads. Send or cancel some first."),
    "wrong_offset": Code(409, "The upload continues at a different offset."),
    "upload_busy": Code(409, "Another part of this upload is still arriving."),
    "checksum_mismatch": Code(422, "The checksum does not match. Upload the file again."),
    "picture_too_large": Code(422, "The image has too many pixels."),
    "picture_unreadable": Code(
        422, "Location data cannot be removed from this image. Send the original or another image."
    ),
    "data_damaged": Code(410, "This information was damaged on the disk of the server. A backup must be restored."),
    "file_damaged": Code(410, "This file was damaged on the disk of the server."),
    "range_not_satisfiable": Code(416, "The requested range is beyond the end of the file."),
    "server_full": Code(503, "The server has no space left for files."),
    # server faults
    "unavailable": Code(503, "The server is temporarily unavailable. Try again."),
    "internal_error": Code(500, "Internal server error. It was logged."),
}
