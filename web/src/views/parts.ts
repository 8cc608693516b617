/**
 * The views that the first screen does not need. They are loaded when they are opened, or a few seconds after the first
 * screen, so that they open without delay and without a server.
 */
export const parts = {
  adminNotices: () => import("./family/AdminNotices.svelte"),
  conversationDetails: () => import("./chat/ConversationDetails.svelte"),
  chatSearch: () => import("./search/ChatSearch.svelte"),
  editHistory: () => import("./chat/EditHistory.svelte"),
  emojiPicker: () => import("./emoji/EmojiPicker.svelte"),
  gallery: () => import("./chat/Gallery.svelte"),
  forwardSheet: () => import("./chat/ForwardSheet.svelte"),
  inviteSheet: () => import("./conversations/InviteSheet.svelte"),
  hiddenMessageNotice: () => import("./chat/HiddenMessageNotice.svelte"),
  messageActions: () => import("../models/messages/message-actions"),
  messageGestures: () => import("./chat/message-gestures"),
  messageInfo: () => import("./chat/MessageInfo.svelte"),
  messageMenu: () => import("./chat/MessageMenu.svelte"),
  newChat: () => import("./conversations/NewChat.svelte"),
  passwordResetNotice: () => import("./PasswordResetNotice.svelte"),
  pendingAlbum: () => import("./chat/attachments/PendingAlbum.svelte"),
  personPage: () => import("./people/PersonPage.svelte"),
  photoViewer: () => import("./chat/attachments/PhotoViewer.svelte"),
  playingBar: () => import("./chat/voice/PlayingBar.svelte"),
  recorder: () => import("./chat/voice/Recorder.svelte"),
  pinnedMessages: () => import("./chat/PinnedMessages.svelte"),
  reactionPicker: () => import("./emoji/ReactionPicker.svelte"),
  refusedChoices: () => import("./chat/RefusedChoices.svelte"),
  removedFromGroup: () => import("./conversations/RemovedFromGroup.svelte"),
  shortcuts: () => import("./Shortcuts.svelte"),
  starredMessages: () => import("./chat/StarredMessages.svelte"),
  searchPane: () => import("./search/SearchPane.svelte"),
  video: () => import("./chat/attachments/Video.svelte"),
  videoTile: () => import("./chat/attachments/VideoTile.svelte"),
  videoPoster: () => import("./chat/attachments/video-poster"),
  voicePlayer: () => import("./chat/voice/VoicePlayer.svelte"),
}

/** Ways to begin that each account needs at most once or twice. */
export const beginnings = {
  acceptInvite: () => import("./sign-in/AcceptInvite.svelte"),
  confirmEmail: () => import("./sign-in/ConfirmEmail.svelte"),
  forgotPassword: () => import("./sign-in/ForgotPassword.svelte"),
  resetPassword: () => import("./sign-in/ResetPassword.svelte"),
  setUp: () => import("./sign-in/SetUp.svelte"),
}

/** Loads all parts. Without a server, each is requested again when it is opened. */
export async function preloadParts(): Promise<void> {
  await Promise.allSettled(Object.values(parts).map((load) => load()))
}
