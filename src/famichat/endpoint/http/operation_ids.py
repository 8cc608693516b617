"""The `operationId` of each HTTP route. It never changes, because generated clients name their functions after it."""

from collections.abc import Mapping
from typing import Final

from fastapi.routing import APIRoute

OPERATION_IDS: Final[Mapping[str, str]] = {
    "GET /setup": "getSetup",
    "POST /setup": "setUpServer",
    "POST /sessions": "signIn",
    "POST /sessions/refresh": "refreshSession",
    "DELETE /sessions/current": "signOut",
    "POST /sessions/passkey/options": "beginPasskeySignIn",
    "POST /sessions/passkey": "signInWithPasskey",
    "GET /me/passkeys": "listPasskeys",
    "POST /me/passkeys/options": "beginPasskeyRegistration",
    "POST /me/passkeys": "registerPasskey",
    "DELETE /me/passkeys/{passkey_id}": "deletePasskey",
    "GET /me": "getMe",
    "PATCH /me": "updateProfile",
    "DELETE /me": "deleteAccount",
    "PATCH /me/privacy": "updatePrivacy",
    "PATCH /me/notices": "updateNotices",
    "PUT /me/picture": "setAvatar",
    "DELETE /me/picture": "deleteAvatar",
    "GET /me/ledger": "listAuditLog",
    "GET /me/storage": "getStorage",
    "GET /me/push": "getPushSettings",
    "PATCH /me/push": "updatePushSettings",
    "PUT /me/push": "subscribeToPush",
    "DELETE /me/push": "unsubscribeFromPush",
    "POST /me/push/test": "sendTestNotification",
    "GET /push/key": "getPushKey",
    "GET /people": "listPeople",
    "GET /people/{user_id}/pictures/{picture_id}": "getAvatar",
    "GET /devices": "listDevices",
    "DELETE /devices/{device_id}": "revokeDevice",
    "GET /families": "listFamilies",
    "GET /families/{family_id}/members": "listFamilyMembers",
    "PUT /families/{family_id}/members/{user_id}": "setFamilyRole",
    "DELETE /families/{family_id}/members/{user_id}": "removeFamilyMember",
    "GET /families/{family_id}/members/{user_id}/devices": "listMemberDevices",
    "DELETE /families/{family_id}/members/{user_id}/devices/{device_id}": "revokeMemberDevice",
    "GET /families/{family_id}/ledger": "listFamilyAuditLog",
    "GET /families/{family_id}/storage": "getFamilyStorage",
    "POST /families/{family_id}/invites": "createInvite",
    "GET /families/{family_id}/invites": "listInvites",
    "DELETE /families/{family_id}/invites/{invite_id}": "revokeInvite",
    "GET /invites/{token}": "getInvite",
    "POST /invites/{token}/accept": "acceptInvite",
    "GET /conversations": "listConversations",
    "GET /conversations/{conversation_id}": "getConversation",
    "PATCH /conversations/{conversation_id}": "renameConversation",
    "POST /conversations/self": "openSelfConversation",
    "POST /conversations/direct": "openDirectConversation",
    "POST /conversations/group": "createGroup",
    "POST /conversations/family": "openFamilyConversation",
    "PUT /conversations/{conversation_id}/hidden": "hideConversation",
    "DELETE /conversations/{conversation_id}/hidden": "unhideConversation",
    "PUT /conversations/{conversation_id}/archived": "archiveConversation",
    "DELETE /conversations/{conversation_id}/archived": "unarchiveConversation",
    "PUT /conversations/{conversation_id}/muted": "muteConversation",
    "DELETE /conversations/{conversation_id}/muted": "unmuteConversation",
    "POST /conversations/{conversation_id}/members": "addGroupMember",
    "DELETE /conversations/{conversation_id}/members/{user_id}": "removeGroupMember",
    "PUT /conversations/{conversation_id}/members/{user_id}/role": "setGroupRole",
    "GET /conversations/{conversation_id}/messages": "listMessages",
    "POST /conversations/{conversation_id}/messages": "sendMessage",
    "GET /conversations/{conversation_id}/messages/{message_id}": "getMessage",
    "PATCH /conversations/{conversation_id}/messages/{message_id}": "editMessage",
    "DELETE /conversations/{conversation_id}/messages/{message_id}": "deleteMessage",
    "GET /conversations/{conversation_id}/messages/{message_id}/edits": "listEdits",
    "PUT /conversations/{conversation_id}/messages/{message_id}/reaction": "setReaction",
    "DELETE /conversations/{conversation_id}/messages/{message_id}/reaction": "deleteReaction",
    "GET /conversations/{conversation_id}/changes": "listChanges",
    "POST /conversations/{conversation_id}/attachments": "beginUpload",
    "GET /attachments/{attachment_id}": "getUpload",
    "PATCH /attachments/{attachment_id}": "continueUpload",
    "DELETE /attachments/{attachment_id}": "cancelUpload",
    "GET /attachments/{attachment_id}/address": "getAttachmentUrls",
}
"""The keys are the method and the path below `/api/v1`."""

_PREFIX = "/api/v1"


def operation_id(route: APIRoute) -> str:
    """Return the `operationId` of a route. For a route outside this API it is the name of the function."""
    method = "".join(route.methods or ())  # each route of this API has exactly one
    return OPERATION_IDS.get(f"{method} {route.path_format.removeprefix(_PREFIX)}", route.name)
