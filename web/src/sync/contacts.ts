/** Whom this person sees: families, who belongs to them, and how everybody is shown. */
import type { Kept } from "../device/database"
import type { Around, Recall } from "../device/offline-cache"
import { know, meet, nobodyYet, type People } from "../models/people"
import type { Shelf } from "../models/conversation-list"
import { Faces } from "./avatars"
import type { Session } from "../session/session"
import type { Family, Member, Person } from "../api/types"

export class Circle {
  people: People = new Map()
  families: readonly Family[] = []
  /** The people of each family. */
  households: ReadonlyMap<string, readonly Member[]> = new Map()
  /** What the people look like. */
  readonly faces: Faces

  constructor(
    private readonly session: Session,
    kept: Kept,
    private readonly recall: Recall,
    private readonly changed: () => void,
  ) {
    this.people = know(this.people, [nobodyYet(session.user.id, session.user.username)])
    this.faces = new Faces(session, kept, changed)
  }

  /** Know again who was around last time. */
  remember({ families, households, people }: Around): void {
    this.#know(families, households, people ?? households.flatMap(([, members]) => members), [])
  }

  /** Ask the server who is around. Whoever was known and is in a conversation, as the shelf is then, stays known. */
  async look(shelf: () => Shelf): Promise<void> {
    const [{ families }, { people }] = await Promise.all([
      this.session.ask<{ families: Family[] }>("GET", "/families"),
      this.session.ask<{ people: Person[] }>("GET", "/people"),
    ])
    const households = await Promise.all(families.map(async ({ id }) => [id, await this.#membersOf(id)] as const))
    this.#know(families, households, people, shelf())
    this.faces.again()
    await this.#note()
  }

  /** Show somebody as this person is to be shown from now on. */
  async seeAnew(person: Person): Promise<void> {
    const update = (member: Member) => (member.user_id === person.user_id ? { ...member, ...person } : member)
    this.people = know(this.people, [person])
    this.households = new Map([...this.households].map(([id, members]) => [id, members.map(update)]))
    this.changed()
    await this.#note()
  }

  async #membersOf(familyId: string): Promise<readonly Member[]> {
    return (await this.session.ask<{ members: Member[] }>("GET", `/families/${familyId}/members`)).members
  }

  #know(
    families: readonly Family[],
    households: Iterable<readonly [string, readonly Member[]]>,
    people: readonly Person[],
    shelf: Shelf,
  ): void {
    this.families = families
    this.households = new Map(households)
    this.people = meet(this.people, people, shelf)
    this.changed()
  }

  /** Keep who is around, and what they look like. */
  async #note(): Promise<void> {
    const people = [...this.people.values()]
    await this.recall.noteAround({ families: this.families, households: [...this.households], people })
    await this.faces.keepOnly(new Set(people.flatMap(({ picture }) => picture ?? [])))
  }
}
