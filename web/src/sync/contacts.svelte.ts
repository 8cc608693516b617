/** The user's families, their members, and everyone's profile. */
import type { LocalDatabase } from "../device/database"
import type { CachedContacts, OfflineCache } from "../device/offline-cache"
import { withPeople, currentPeople, unknownPerson, type People } from "../models/people/people"
import type { ConversationList } from "../models/conversation-list"
import { AvatarCache } from "./avatars"
import type { Session } from "../session/session"
import type { ConversationSummary, Family, Member, Person } from "../api/types"

export class Contacts {
  people = $state.raw<People>(new Map())
  families = $state.raw<readonly Family[]>([])
  /** The members of each family, by family ID. */
  membersByFamily = $state.raw<ReadonlyMap<string, readonly Member[]>>(new Map())
  /** Whether the list of people has loaded, from the server or from this device. */
  #loaded = $state(false)
  /** Members of conversations whose profiles are about to be loaded. */
  #expected = $state.raw<ReadonlySet<string>>(new Set())
  /** For each refresh that is running: the profiles that have changed since it began, by user ID. */
  readonly #changedDuring = new Set<Map<string, Person>>()
  /** Their avatars. */
  readonly avatars: AvatarCache

  constructor(
    private readonly session: Session,
    database: LocalDatabase,
    private readonly offlineCache: OfflineCache,
  ) {
    this.people = withPeople(this.people, [unknownPerson(session.user.id, session.user.username)])
    this.avatars = new AvatarCache(session, database)
  }

  /** Whether a person without a name is known to have left or to have deleted the account. Reactive. */
  isFormer(userId: string): boolean {
    return this.#loaded && !this.#expected.has(userId) && !this.people.has(userId)
  }

  /** Notes the members of a conversation: those who are unknown so far are new, not former members. */
  expect(members: ConversationSummary["members"]): void {
    const unknown = members
      .map(({ user_id }) => user_id)
      .filter((id) => !this.people.has(id) && !this.#expected.has(id))
    if (unknown.length > 0) this.#expected = new Set([...this.#expected, ...unknown])
  }

  /** Restores the cached contacts. */
  restore({ families, households: membersByFamily, people }: CachedContacts): void {
    this.#set(families, membersByFamily, people ?? membersByFamily.flatMap(([, members]) => members), [])
  }

  /**
   * Loads the contacts. People who are still in one of the user's conversations stay known. A profile that changes in
   * the meantime is kept: the responses may be older, and may name an avatar that the server has deleted.
   */
  async refresh(conversations: () => ConversationList): Promise<void> {
    const changed = new Map<string, Person>()
    this.#changedDuring.add(changed)
    try {
      await this.#load(conversations, changed)
    } finally {
      this.#changedDuring.delete(changed)
    }
    this.#expected = new Set()
    this.avatars.retryMissed()
    await this.#save()
  }

  /** Applies a changed profile. */
  async updatePerson(person: Person): Promise<void> {
    for (const changed of this.#changedDuring) changed.set(person.user_id, person)
    this.people = withPeople(this.people, [person])
    const update = (member: Member) => withChange(member, new Map([[person.user_id, person]]))
    this.membersByFamily = new Map([...this.membersByFamily].map(([id, members]) => [id, members.map(update)]))
    await this.#save()
  }

  async #load(conversations: () => ConversationList, changed: ReadonlyMap<string, Person>): Promise<void> {
    const [{ families }, { people }] = await Promise.all([
      this.session.request<{ families: Family[] }>("GET", "/families"),
      this.session.request<{ people: Person[] }>("GET", "/people"),
    ])
    const members = await Promise.all(families.map(async ({ id }) => [id, await this.#membersOf(id)] as const))
    const membersByFamily = members.map(([id, list]) => [id, list.map((each) => withChange(each, changed))] as const)
    const current = people.map((each) => withChange(each, changed))
    this.#set(families, membersByFamily, current, conversations())
  }

  async #membersOf(familyId: string): Promise<readonly Member[]> {
    return (await this.session.request<{ members: Member[] }>("GET", `/families/${familyId}/members`)).members
  }

  #set(
    families: readonly Family[],
    membersByFamily: Iterable<readonly [string, readonly Member[]]>,
    people: readonly Person[],
    conversations: ConversationList,
  ): void {
    this.#loaded = true
    this.families = families
    this.membersByFamily = new Map(membersByFamily)
    this.people = currentPeople(this.people, people, conversations)
  }

  /** Caches the contacts and their avatars. */
  async #save(): Promise<void> {
    const people = [...this.people.values()]
    await this.offlineCache.saveContacts({ families: this.families, households: [...this.membersByFamily], people })
    await this.avatars.keepOnly(new Set([...this.people.values()].flatMap(({ picture }) => picture ?? [])))
  }
}

function withChange<Profile extends Person>(profile: Profile, changed: ReadonlyMap<string, Person>): Profile {
  return { ...profile, ...changed.get(profile.user_id) }
}
