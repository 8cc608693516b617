/**
 * The views that the first screen does not need. They are loaded when they are opened, or a few seconds after the first
 * screen, so that they open without delay and without a server.
 */
export const parts = {
  conversationDetails: () => import("./chat/ConversationDetails.svelte"),
  chatSearch: () => import("./search/ChatSearch.svelte"),
  editHistory: () => import("./chat/EditHistory.svelte"),
  inviteSheet: () => import("./conversations/InviteSheet.svelte"),
  messageInfo: () => import("./chat/MessageInfo.svelte"),
  messageMenu: () => import("./chat/MessageMenu.svelte"),
  newChat: () => import("./conversations/NewChat.svelte"),
  removedFromGroup: () => import("./conversations/RemovedFromGroup.svelte"),
  searchPane: () => import("./search/SearchPane.svelte"),
}

/** Loads all parts. Without a server, each is requested again when it is opened. */
export async function preloadParts(): Promise<void> {
  await Promise.allSettled(Object.values(parts).map((load) => load()))
}
