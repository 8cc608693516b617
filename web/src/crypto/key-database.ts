/**
 * The keys of this device, in an IndexedDB database of their own: an old tab that does not close the other database would
 * block a new version of it, and with it every new tab.
 *
 * No lock protects a group. Code reads the group, computes, and writes in a transaction that first checks that the epoch is
 * still the one it read. Tabs, workers and a page that was killed are one case: the second writer discards its result.
 */
import { openDB, type DBSchema, type IDBPDatabase } from "idb"

import { toBase64url } from "./bytes"
import { isBefore, isSameEpoch, keyId, type Epoch, type KeyringEntry } from "./keyring"
import { keyDatabaseName } from "./key-database-name"
import type { Leaf, OwnKeyPackage } from "./mls"
import type { PinnedAccount } from "./trust"

/** The private keys of this device. Signing in again makes another device. */
export interface StoredDevice {
  readonly deviceId: string
  readonly signatureSeed: Uint8Array
  readonly hpkePrivateKey: Uint8Array
  /** Only a signed device has it. */
  readonly account: { readonly seed: Uint8Array; readonly version: number } | null
}

/** An encrypted conversation. The record is never deleted: the conversation never becomes plaintext again. */
export interface StoredGroup extends Epoch {
  /** The `seq` after which every message is encrypted. */
  readonly encryptedSince: number
  readonly leaves: readonly Leaf[]
  /** The encoded `MlsGroup`; null if this device is no member. */
  readonly state: Uint8Array | null
  /** When this device entered the epoch, in milliseconds. Version 1 of the database did not store it. */
  readonly enteredAt?: number
  /** The `seq` of the last message before the epoch. Not in version 1, either. */
  readonly sinceSeq?: number
}

/** A commit that this device made and the server may have accepted. */
export interface PendingCommit {
  readonly conversationId: string
  /** SHA-256 of the commit in base64url. */
  readonly digest: string
  /** The epoch that the commit ends. */
  readonly ends: Epoch
  readonly next: Omit<StoredGroup, "encryptedSince">
  readonly entry: KeyringEntry
}

export interface StoredKeyPackage extends OwnKeyPackage {
  /** It is given out when no other is left, and can be used more than once. */
  readonly isLastResort: boolean
}

/** A version of a message that was decrypted and verified. */
interface VerifiedVersion {
  readonly conversationId: string
  readonly messageId: string
  /** Of the first version. Its device uses a `client_id` once in a generation. */
  readonly origin: { readonly generation: number; readonly deviceId: string; readonly clientId: string } | null
  /** When the current version was written, by the sender's clock; 0 if it was not edited. Null for an earlier version. */
  readonly editedAt: number | null
  /** In which it was encrypted. */
  readonly generation: number
}

type Acceptance = "current" | "repeated" | "superseded"

/** A version that waits for the next transaction. */
interface WaitingVersion {
  readonly version: VerifiedVersion
  resolve(acceptance: Acceptance): void
  reject(error: unknown): void
}

/** The newest edit of a message that was decrypted. */
interface NewestEdit {
  readonly at: number
  /** Of the conversation at that time. Restoring the server begins another one, and can undo edits. */
  readonly generation: number
}

interface Stores extends DBSchema {
  device: { key: "own"; value: StoredDevice }
  groups: { key: string; value: StoredGroup }
  pending: { key: [conversationId: string, digest: string]; value: PendingCommit }
  keyring: { key: [conversationId: string, keyId: string]; value: KeyringEntry }
  key_packages: { key: string; value: StoredKeyPackage }
  pinned_accounts: { key: string; value: PinnedAccount }
  /** The `message_id` of what a device sent. */
  messages: { key: [conversationId: string, generation: number, deviceId: string, clientId: string]; value: string }
  edits: { key: [conversationId: string, messageId: string]; value: NewestEdit }
}

const STORES = [
  ...(["device", "groups", "pending", "keyring", "key_packages", "pinned_accounts"] as const),
  ...(["messages", "edits"] as const),
]
type StoreName = (typeof STORES)[number]
/** Version 2 added `messages` and `edits`. */
const VERSION = 2

export class KeyDatabase {
  #database: Promise<IDBPDatabase<Stores>> | undefined
  #waiting: WaitingVersion[] = []
  #isAccepting = false

  constructor(readonly userId: string) {}

  async device(): Promise<StoredDevice | undefined> {
    return (await this.#open()).get("device", "own")
  }

  /** Gives up an account seed that the server did not accept, because another device was faster. */
  async dropAccount(): Promise<void> {
    const write = (await this.#open()).transaction("device", "readwrite", STRICT)
    const device = await write.store.get("own")
    if (device) await write.store.put({ ...device, account: null }, "own")
    await write.done
  }

  /**
   * Stores the keys of a device, unless another tab was faster. Groups and key packages of a former device are deleted; the
   * account seed stays with its user, who has signed in again.
   */
  async keepDevice(device: StoredDevice): Promise<StoredDevice> {
    const write = (await this.#open()).transaction(["device", "groups", "pending", "key_packages"], "readwrite", STRICT)
    const present = await write.objectStore("device").get("own")
    const kept =
      present?.deviceId === device.deviceId ? present : { ...device, account: present?.account ?? device.account }
    if (kept !== present) {
      for (const [id, group] of await entriesOf(write.objectStore("groups"))) {
        await write.objectStore("groups").put({ ...group, leaves: [], state: null }, id)
      }
      await write.objectStore("pending").clear()
      await write.objectStore("key_packages").clear()
      await write.objectStore("device").put(kept, "own")
    }
    await write.done
    return kept
  }

  async group(conversationId: string): Promise<StoredGroup | undefined> {
    return (await this.#open()).get("groups", conversationId)
  }

  /**
   * Replaces the group by that of a later epoch, and adds the key of this epoch. Commits that were made for earlier epochs
   * are forgotten, and so is the key package that a Welcome used.
   *
   * @param seen the epoch that the caller read; null if there was no group
   * @returns whether the epoch was still that one; otherwise nothing has changed
   */
  async advance(
    conversationId: string,
    seen: Epoch | null,
    next: StoredGroup,
    entry: KeyringEntry | null,
    usedKeyPackage?: StoredKeyPackage,
  ): Promise<boolean> {
    const names: StoreName[] = ["groups", "pending", "keyring", "key_packages"]
    const write = (await this.#open()).transaction(names, "readwrite", STRICT)
    const present = await write.objectStore("groups").get(conversationId)
    const isUnchanged = present ? seen !== null && isSameEpoch(present, seen) : seen === null
    if (isUnchanged) {
      const encryptedSince = Math.min(present?.encryptedSince ?? next.encryptedSince, next.encryptedSince)
      const stored = { ...next, encryptedSince, sinceSeq: next.encryptedSince, enteredAt: Date.now() }
      await write.objectStore("groups").put(stored, conversationId)
      const keyring = write.objectStore("keyring")
      const id: [string, string] = [conversationId, keyId(next)]
      // A key is never replaced: messages were encrypted with it.
      if (entry && (await keyring.getKey(id)) === undefined) await keyring.add(entry, id)
      if (usedKeyPackage && !usedKeyPackage.isLastResort) {
        await write.objectStore("key_packages").delete(toBase64url(usedKeyPackage.ref))
      }
      for (const pending of await write.objectStore("pending").getAll(within(conversationId))) {
        if (isBefore(pending.ends, next)) await write.objectStore("pending").delete([conversationId, pending.digest])
      }
    }
    await write.done
    return isUnchanged
  }

  /** Stores a commit before it is sent. */
  async keepPending(pending: PendingCommit): Promise<void> {
    const write = (await this.#open()).transaction("pending", "readwrite", STRICT)
    await write.store.put(pending, [pending.conversationId, pending.digest])
    await write.done
  }

  async pending(conversationId: string, digest: string): Promise<PendingCommit | undefined> {
    return (await this.#open()).get("pending", [conversationId, digest])
  }

  async pendingCommits(conversationId: string): Promise<PendingCommit[]> {
    return (await this.#open()).getAll("pending", within(conversationId))
  }

  /** Forgets a commit that the server refused. */
  async dropPending(conversationId: string, digest: string): Promise<void> {
    await (await this.#open()).delete("pending", [conversationId, digest])
  }

  async key(conversationId: string, epoch: Epoch): Promise<KeyringEntry | undefined> {
    return (await this.#open()).get("keyring", [conversationId, keyId(epoch)])
  }

  /**
   * Remembers a verified version of a message. Those that come while a transaction runs share the next one: a page of the
   * history takes two or three, not one per message.
   *
   * @returns `current`; `repeated`: the server shows one message as two; `superseded`: a newer edit was decrypted
   */
  accept(version: VerifiedVersion): Promise<Acceptance> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ version, resolve, reject })
      if (!this.#isAccepting) void this.#acceptWaiting()
    })
  }

  async #acceptWaiting(): Promise<void> {
    this.#isAccepting = true
    while (this.#waiting.length > 0) {
      const batch = this.#waiting
      this.#waiting = []
      try {
        const acceptances = await this.#accepted(batch.map(({ version }) => version))
        for (const [index, { resolve }] of batch.entries()) resolve(acceptances[index] as Acceptance)
      } catch (error) {
        for (const { reject } of batch) reject(error)
      }
    }
    this.#isAccepting = false
  }

  async #accepted(versions: readonly VerifiedVersion[]): Promise<Acceptance[]> {
    const write = (await this.#open()).transaction(["groups", "messages", "edits"], "readwrite")
    const [groups, messages, edits] = [
      write.objectStore("groups"),
      write.objectStore("messages"),
      write.objectStore("edits"),
    ]
    // The requests of a version follow those of the one before it, so it sees what that one stored.
    const accept = async ({ conversationId, messageId, origin, editedAt, generation }: VerifiedVersion) => {
      if (origin) {
        const id: Stores["messages"]["key"] = [conversationId, origin.generation, origin.deviceId, origin.clientId]
        const present = await messages.get(id)
        if (present === undefined) await messages.put(messageId, id)
        else if (present !== messageId) return "repeated"
      }
      if (editedAt !== null) {
        const known = await edits.get([conversationId, messageId])
        const current =
          known || editedAt > 0 ? ((await groups.get(conversationId))?.generation ?? generation) : generation
        if (known?.generation === current && editedAt < known.at) return "superseded"
        if (editedAt > 0) await edits.put({ at: editedAt, generation: current }, [conversationId, messageId])
      }
      return "current"
    }
    const acceptances: Acceptance[] = []
    for (const version of versions) acceptances.push(await accept(version))
    await write.done
    return acceptances
  }

  /** When the newest edit of a message was written that was decrypted here; 0 if there is none. */
  async editedAt(conversationId: string, messageId: string): Promise<number> {
    return (await (await this.#open()).get("edits", [conversationId, messageId]))?.at ?? 0
  }

  /** Stores key packages before they are published. */
  async keepKeyPackages(packages: readonly StoredKeyPackage[]): Promise<void> {
    const write = (await this.#open()).transaction("key_packages", "readwrite", STRICT)
    await Promise.all(packages.map((each) => write.store.put(each, toBase64url(each.ref))))
    await write.done
  }

  async keyPackages(): Promise<StoredKeyPackage[]> {
    return (await this.#open()).getAll("key_packages")
  }

  async deleteKeyPackages(packages: readonly StoredKeyPackage[]): Promise<void> {
    const write = (await this.#open()).transaction("key_packages", "readwrite")
    await Promise.all(packages.map(({ ref }) => write.store.delete(toBase64url(ref))))
    await write.done
  }

  async pinnedAccounts(): Promise<PinnedAccount[]> {
    return (await this.#open()).getAll("pinned_accounts")
  }

  /** Pins or updates the account of a user in one transaction: two tabs cannot pin two keys. */
  async pin(
    userId: string,
    change: (known: PinnedAccount | undefined) => PinnedAccount | null,
  ): Promise<PinnedAccount | undefined> {
    const write = (await this.#open()).transaction("pinned_accounts", "readwrite", STRICT)
    const account = change(await write.store.get(userId)) ?? undefined
    if (account) await write.store.put(account, userId)
    await write.done
    return account
  }

  async close(): Promise<void> {
    const database = await this.#database
    database?.close()
  }

  #open(): Promise<IDBPDatabase<Stores>> {
    this.#database ??= openDB<Stores>(keyDatabaseName(this.userId), VERSION, {
      upgrade: (database) => {
        const missing = STORES.filter((name) => !database.objectStoreNames.contains(name))
        for (const name of missing) database.createObjectStore(name)
      },
      // A newer version of the client upgrades it. This tab must reload, and must not block the upgrade.
      blocking: (_current, _requested, event) => (event.target as IDBDatabase).close(),
      terminated: () => (this.#database = undefined),
    })
    return this.#database
  }
}

/** A commit is on disk before it is sent. */
const STRICT: IDBTransactionOptions = { durability: "strict" }

function within(conversationId: string): IDBKeyRange {
  return IDBKeyRange.bound([conversationId], [conversationId, []])
}

async function entriesOf<Value>(store: { getAllKeys(): Promise<string[]>; getAll(): Promise<Value[]> }) {
  const [keys, values] = await Promise.all([store.getAllKeys(), store.getAll()])
  return keys.map((key, index) => [key, values[index] as Value] as const)
}
