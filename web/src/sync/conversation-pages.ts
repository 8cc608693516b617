/** Reads the user's conversations from the server, page by page. */
import { ApiError } from "../api/http"
import type { ConversationList as ConversationPage, ConversationSummary } from "../api/types"
import type { Session } from "../session/session"

const PAGE = 200
/** A request returns only conversations that are, or are not, hidden and archived. */
const FILTERS = ["", "&hidden=true", "&archived=true", "&hidden=true&archived=true"]

/**
 * Requests all conversations, including hidden and archived ones.
 *
 * Pages are not a snapshot: a conversation that becomes active meanwhile may be on none of them. Its events arrive on the
 * user's channel, which must be joined before.
 *
 * @param received called with each page when it arrives, the most recently active conversations first
 */
export async function fetchConversations(
  session: Session,
  received: (page: readonly ConversationSummary[]) => void,
): Promise<void> {
  await Promise.all(
    FILTERS.map(async (filter) => {
      for (let cursor: string | null = ""; cursor !== null;) {
        const after = cursor === "" ? "" : `&cursor=${encodeURIComponent(cursor)}`
        const page: ConversationPage = await session.request("GET", `/conversations?limit=${PAGE}${filter}${after}`)
        received(page.conversations)
        cursor = page.next_cursor ?? null
      }
    }),
  )
}

/** Requests one conversation. Undefined if the user is no longer in it. */
export async function fetchConversation(session: Session, id: string): Promise<ConversationSummary | undefined> {
  try {
    return await session.request<ConversationSummary>("GET", `/conversations/${id}`)
  } catch (error) {
    if (error instanceof ApiError && error.code === "not_found") return undefined
    throw error
  }
}
