import { describe, expect, test, vi } from "vitest"

import { LocalDatabase } from "../device/database"
import { outgoing } from "../models/fixtures"
import { ChatServer } from "../testing/chat-server"
import { conversationOf, placesIn, startClient, startDisconnected, useFakeBrowser } from "../testing/client"
import { eventually, pass, settle } from "../testing/clock"
import { problem } from "../testing/http-server"
import { ApiError, Unreachable } from "../api/http"
import { refuse, type ClientFrame } from "../testing/phoenix-server"

useFakeBrowser()

async function start() {
  const server = new ChatServer()
  const kitchen = server.add("kitchen", 2)
  const client = await startClient(server)
  return { server, kitchen, client, conversation: conversationOf(client) }
}

const sent = (server: ChatServer) => server.phoenix.payloadsOf("new_msg").map(({ body }) => body)
const clientIds = (server: ChatServer) => server.phoenix.payloadsOf("new_msg").map(({ client_id }) => client_id)

/** Stores what clients send, without a reply and without a broadcast, so that a test can reply later. */
function withhold(server: ChatServer): void {
  server.phoenix.handle(/^message:/, "new_msg", () => undefined)
}

const latest = (server: ChatServer): ClientFrame =>
  server.phoenix.framesOf("new_msg").at(-1) ?? expect.fail("none sent")

test("a message is stored under its client_id, and leaves the outbox for the timeline", async () => {
  const { server, kitchen, client } = await start()
  await client.send("kitchen", "Dinner!", [], "m1")
  await eventually(() => expect(placesIn(client)).toEqual([3]))
  await eventually(() => expect(client.outbox).toEqual([]))
  expect(server.phoenix.payloadsOf("new_msg")).toEqual([
    { body: "Dinner!", client_id: kitchen.messages[2]?.client_id, reply_to: "m1" },
  ])
})

test("a stored message leaves the outbox also when the broadcast is late, and is fetched", async () => {
  const { server, kitchen, client } = await start()
  server.phoenix.handle(/^message:/, "new_msg", ({ payload }) => kitchen.add({ ...payload, user_id: "maja" }, true))
  await client.send("kitchen", "Dinner!")
  await eventually(() => expect(client.outbox).toEqual([]))
  await eventually(() => expect(placesIn(client)).toEqual([3]))
})

test("messages are sent one after the other, in the order in which they were written", async () => {
  const { server, client } = await start()
  withhold(server)
  await Promise.all(["one", "two", "three"].map((text) => client.send("kitchen", text)))
  await settle()
  expect(sent(server)).toEqual(["one"])
  server.phoenix.reply(latest(server), { message_id: "m3", seq: 3, inserted_at: "" })
  await settle()
  expect(sent(server)).toEqual(["one", "two"])
  server.phoenix.reply(latest(server), { message_id: "m4", seq: 4, inserted_at: "" })
  await eventually(() => expect(sent(server)).toEqual(["one", "two", "three"]))
})

test("a message without a reply is sent again under the same client_id, and stored once", async () => {
  const { server, kitchen, client } = await start()
  let lost = true
  server.phoenix.handle(/^message:/, "new_msg", (frame) => {
    const stored = kitchen.store(frame, "inga") // stored, but this device does not learn that it is its own
    return lost ? undefined : stored
  })
  await client.send("kitchen", "Dinner!")
  await pass(10_000)
  expect(sent(server)).toEqual(["Dinner!"])
  lost = false
  await pass(2_000)
  expect(sent(server)).toEqual(["Dinner!", "Dinner!"])
  expect(new Set(clientIds(server)).size).toBe(1)
  expect(kitchen.messages).toHaveLength(3)
  expect(client.outbox).toEqual([])
})

test("retries become rarer, and a stored message makes them frequent again", async () => {
  const { server, kitchen, client } = await start()
  server.phoenix.handle(/^message:/, "new_msg", () => refuse("unavailable"))
  await client.send("kitchen", "Dinner!")
  const counts: number[] = []
  for (const ms of [1_900, 200, 3_900, 200, 7_900, 200]) {
    await pass(ms)
    counts.push(sent(server).length)
  }
  expect(counts).toEqual([1, 2, 2, 3, 3, 4])
  server.phoenix.handle(/^message:/, "new_msg", (frame) => kitchen.store(frame, "maja"))
  await pass(60_000)
  expect(client.outbox).toEqual([])
  let refusals = 1
  server.phoenix.handle(/^message:/, "new_msg", (frame) =>
    refusals-- > 0 ? refuse("unavailable") : kitchen.store(frame, "maja"),
  )
  await client.send("kitchen", "Dessert!")
  await pass(2_100)
  expect(client.outbox).toEqual([])
})

test("a rate limit delays the retry for as long as the server says", async () => {
  const { server, client } = await start()
  let refusals = 1
  server.phoenix.handle(/^message:/, "new_msg", () =>
    refusals-- > 0 ? refuse("rate_limited", { retry_in_ms: 9_000 }) : { message_id: "m3", seq: 3, inserted_at: "" },
  )
  await client.send("kitchen", "Dinner!")
  await pass(8_900)
  expect(sent(server)).toHaveLength(1)
  await pass(200)
  expect(sent(server)).toHaveLength(2)
})

test("a new message does not shorten the pause after a refusal that passes", async () => {
  const { server, client } = await start()
  server.phoenix.handle(/^message:/, "new_msg", () => refuse("rate_limited", { retry_in_ms: 9_000 }))
  await client.send("kitchen", "Dinner!")
  await client.send("kitchen", "Dessert!")
  await pass(8_900)
  expect(sent(server)).toEqual(["Dinner!"])
})

test("a rejoin ends the pause after a refusal that passes", async () => {
  const { server, client } = await start()
  server.phoenix.handle(/^message:/, "new_msg", () => refuse("unavailable", { retry_in_ms: 60_000 }))
  await client.send("kitchen", "Dinner!")
  await settle()
  server.phoenix.drop()
  await pass(1_000)
  expect(sent(server)).toHaveLength(2)
})

test("a refused message stays with its reason, and does not hold up the next one", async () => {
  const { server, kitchen, client } = await start()
  server.phoenix.handle(/^message:/, "new_msg", (frame) =>
    frame.payload.body === "long" ? refuse("message_too_large") : kitchen.store(frame, "maja"),
  )
  await Promise.all([client.send("kitchen", "long"), client.send("kitchen", "short")])
  await eventually(() => expect(kitchen.messages.at(-1)?.body).toBe("short"))
  await eventually(() =>
    expect(client.outbox.map(({ text, refused }) => [text, refused])).toEqual([["long", "message_too_large"]]),
  )
})

test("a refused message is sent again on request, and can be discarded", async () => {
  const { server, client } = await start()
  server.phoenix.handle(/^message:/, "new_msg", () => refuse("encryption_required"))
  await client.send("kitchen", "Dinner!")
  await eventually(() => expect(client.outbox[0]?.refused).toBe("encryption_required"))
  const clientId = client.outbox[0]?.client_id ?? ""
  await client.retry("kitchen", clientId)
  await eventually(() => expect(clientIds(server)).toEqual([clientId, clientId]))
  await eventually(() => expect(client.outbox[0]?.refused).toBe("encryption_required"))
  await client.discard(clientId)
  expect(client.outbox).toEqual([])
})

test("a message for which the server closes the connection three times is refused, and keeps its text", async () => {
  const { server, kitchen, client } = await start()
  server.phoenix.handle(/^message:/, "new_msg", (frame) => {
    if (frame.payload.body !== "poison") return kitchen.store(frame, "maja")
    frame.socket.close(1011)
    return undefined
  })
  await client.send("kitchen", "poison")
  await client.send("kitchen", "after")
  for (let reconnect = 0; reconnect < 4; reconnect += 1) await pass(1_000)
  expect(client.outbox.map(({ text, refused }) => [text, refused])).toEqual([["poison", "frame_refused"]])
  expect(sent(server)).toEqual(["poison", "poison", "poison", "after"])
})

test("a lost network never counts as a refusal", async () => {
  const { server, client } = await start()
  withhold(server)
  await client.send("kitchen", "Dinner!")
  for (let round = 1; round <= 6; round += 1) {
    await eventually(() => expect(sent(server)).toHaveLength(round))
    server.phoenix.drop()
    await pass(10_000)
  }
  expect(client.outbox[0]?.refused).toBeUndefined()
})

test("a message on which the server fails three times is refused, and does not hold up the next one", async () => {
  const { server, kitchen, client } = await start()
  server.phoenix.handle(/^message:/, "new_msg", (frame) =>
    frame.payload.body === "poison" ? refuse("internal_error") : kitchen.store(frame, "maja"),
  )
  await client.send("kitchen", "poison")
  await client.send("kitchen", "after")
  await pass(2_000)
  await pass(4_000)
  await eventually(() => expect(client.outbox.map(({ refused }) => refused)).toEqual(["internal_error"]))
  expect(sent(server)).toEqual(["poison", "poison", "poison", "after"])
})

test("text that strict JSON cannot represent is repaired before it is shown and sent", async () => {
  const { server, client } = await start()
  withhold(server)
  await client.send("kitchen", "a\uD83Dz\0")
  await eventually(() => expect(sent(server)).toEqual(["a\uFFFDz"]))
  expect(client.outbox[0]?.text).toBe("a\uFFFDz")
})

test("a stored message of an older version is repaired when it is sent", async () => {
  const { server, client } = await start()
  const database = new LocalDatabase("maja", () => undefined)
  const old = { ...outgoing("old"), text: "a\uD83Dz", sealed: { body: "a\uD83Dz" } }
  await database.write(["outbox"], (write) => write.objectStore("outbox").add(old), 0)
  await database.close()
  await client.stop()
  await startDisconnected(server)
  await eventually(() => expect(sent(server)).toEqual(["a\uFFFDz"]))
})

test("a message on its way when the connection is lost is sent again after the rejoin", async () => {
  const { server, client } = await start()
  withhold(server)
  await client.send("kitchen", "Dinner!")
  await eventually(() => expect(sent(server)).toHaveLength(1))
  server.phoenix.drop()
  await pass(1_000)
  expect(sent(server)).toHaveLength(2)
  expect(new Set(clientIds(server)).size).toBe(1)
})

test("a reply that is overdue from before a rejoin does not repeat the message", async () => {
  const { server, client } = await start()
  withhold(server)
  await client.send("kitchen", "Dinner!")
  await pass(5_000)
  server.phoenix.drop()
  await pass(1_000)
  expect(sent(server)).toHaveLength(2)
  await pass(8_000) // the first one times out
  expect(sent(server)).toHaveLength(2)
})

test("a message that the server stored before the connection was lost is not sent again", async () => {
  const { server, kitchen, client } = await start()
  server.phoenix.handle(/^message:/, "new_msg", ({ payload }) => {
    kitchen.add({ user_id: "maja", client_id: payload.client_id }, true)
    server.phoenix.drop()
    return undefined
  })
  await client.send("kitchen", "Dinner!")
  await pass(1_000)
  expect(sent(server)).toHaveLength(1)
  expect(client.outbox).toEqual([])
  expect(placesIn(client)).toEqual([3])
})

test("a message written without a connection is sent when there is one", async () => {
  const server = new ChatServer()
  server.add("kitchen", 2)
  const client = await startClient(server)
  server.phoenix.reachable = false
  server.phoenix.drop()
  await client.send("kitchen", "Dinner!")
  await pass(2_000)
  expect(sent(server)).toEqual([])
  expect(client.outbox).toHaveLength(1)
  server.phoenix.reachable = true
  await pass(5_000)
  expect(sent(server)).toEqual(["Dinner!"])
  expect(client.outbox).toEqual([])
})

test("of two tabs only one sends a message that both have", async () => {
  const { server, client } = await start()
  withhold(server)
  const other = await startClient(server)
  await client.send("kitchen", "Dinner!")
  await eventually(() => expect(other.outbox).toHaveLength(1))
  await pass(5_000)
  expect(sent(server)).toHaveLength(1)
  server.phoenix.reply(latest(server), { message_id: "m3", seq: 3, inserted_at: "" })
  await eventually(() => expect(other.outbox).toEqual([]))
  await pass(5_000)
  expect(sent(server)).toHaveLength(1)
})

test("another tab takes over at once when the tab that sends loses its connection", async () => {
  const { server, client } = await start()
  withhold(server)
  const other = await startClient(server)
  await client.send("kitchen", "Dinner!")
  await eventually(() => expect(other.outbox).toHaveLength(1))
  await eventually(() => expect(sent(server)).toHaveLength(1))
  server.phoenix.reachable = false
  server.phoenix.sockets[0]?.close(1006)
  await pass(2_000)
  expect(sent(server)).toHaveLength(2)
  expect(new Set(clientIds(server)).size).toBe(1)
})

test("another tab takes over from one that was closed while it sent, when its turn ends", async () => {
  const { server, client } = await start()
  server.phoenix.reachable = false
  server.phoenix.drop()
  await client.send("kitchen", "Dinner!")
  const database = new LocalDatabase("maja", () => undefined)
  const turn = { tab: "closed", until: Date.now() + 12_000 }
  await database.write(["turns"], (write) => write.objectStore("turns").put(turn, "kitchen"), "")
  server.phoenix.reachable = true
  await pass(10_000)
  expect(conversationOf(client).joined).toBe(true)
  expect(sent(server)).toEqual([])
  await pass(4_000)
  expect(sent(server)).toEqual(["Dinner!"])
})

test("a text overtakes a message whose upload takes more than five seconds, and no sooner", async () => {
  const { server, client } = await start()
  server.http.on("POST /conversations/kitchen/attachments", () => new Promise(() => undefined))
  await client.pendingAttachments.add("kitchen", [{ kind: "file", name: "film", blob: new Blob(["film"]) }], "Kitchen")
  await client.send("kitchen", "the film", client.pendingAttachments.of("kitchen"))
  await client.send("kitchen", "a text")
  await pass(4_900)
  expect(sent(server)).toEqual([])
  await pass(200)
  expect(sent(server)).toEqual(["a text"])
  await eventually(() => expect(client.outbox.map(({ text }) => text)).toEqual(["the film"]))
})

test("a message whose upload the server refuses stays with the reason of the refusal", async () => {
  const { server, client } = await start()
  server.http.on("POST /conversations/kitchen/attachments", () => problem(413, "file_too_large"))
  await client.pendingAttachments.add("kitchen", [{ kind: "file", name: "film", blob: new Blob(["film"]) }], "Kitchen")
  await client.send("kitchen", "the film", client.pendingAttachments.of("kitchen"))
  await eventually(() => expect(client.outbox[0]?.refused).toBe("file_too_large"))
  expect(sent(server)).toEqual([])
})

describe("where encryption is required", () => {
  async function startEncrypting() {
    const started = await start()
    const { encryption, session } = started.client
    let epoch = 0
    vi.spyOn(encryption, "isRequired").mockReturnValue(true)
    const encrypt = vi.spyOn(encryption, "encrypt").mockImplementation(async (_kind, _id, _subject, { text }) => {
      epoch += 1
      const key_id = `0:${epoch}`
      const [body, sender_device_id] = [`${text} in ${key_id}`, session.deviceId]
      return { body, encryption_flag: true, encryption_version: "famichat.1", key_id, sender_device_id }
    })
    return { ...started, encrypt }
  }

  test("a message is encrypted when it is sent, with the message it replies to", async () => {
    const { server, client, encrypt } = await startEncrypting()
    await client.send("kitchen", "Dinner!", [], "m1")
    await eventually(() => expect(client.outbox).toEqual([]))
    const [frame] = server.phoenix.payloadsOf("new_msg")
    expect(frame).toMatchObject({ body: "Dinner! in 0:1", encryption_flag: true, key_id: "0:1" })
    expect(frame).not.toHaveProperty("reply_to", "m1")
    expect(encrypt.mock.calls).toEqual([["message", "kitchen", frame?.client_id, { text: "Dinner!", reply_to: "m1" }]])
  })

  test("a forwarded message is encrypted with its mark, also again after epoch_changed", async () => {
    const { server, kitchen, client, encrypt } = await startEncrypting()
    server.phoenix.handle(/^message:/, "new_msg", (frame) =>
      encrypt.mock.calls.length === 1 ? refuse("epoch_changed") : kitchen.store(frame, "maja"),
    )
    await client.forward("kitchen", "At noon.", [])
    expect(client.outbox[0]).toMatchObject({ text: "At noon.", forwarded: true })
    await eventually(() => expect(client.outbox).toEqual([]))
    const texts = encrypt.mock.calls.map(([, , , { text }]) => text)
    expect(texts).toEqual(Array(2).fill("\u21AA\uFE0E At noon."))
  })

  test("after epoch_changed the message is encrypted again; after a lost reply its bytes stay the same", async () => {
    const { server, kitchen, client } = await startEncrypting()
    const answers = [() => refuse("epoch_changed"), () => undefined]
    server.phoenix.handle(/^message:/, "new_msg", (frame) => {
      const answer = answers.shift()
      return answer ? answer() : kitchen.store(frame, "maja")
    })
    await client.send("kitchen", "Dinner!")
    await pass(20_000)
    expect(sent(server)).toEqual(["Dinner! in 0:1", "Dinner! in 0:2", "Dinner! in 0:2"])
    expect(new Set(clientIds(server)).size).toBe(1)
    expect(client.outbox).toEqual([])
  })

  test("a server that always answers epoch_changed is asked more and more rarely", async () => {
    const { server, client } = await startEncrypting()
    server.phoenix.handle(/^message:/, "new_msg", () => refuse("epoch_changed"))
    await client.send("kitchen", "Dinner!")
    await pass(60_000)
    expect(sent(server).length).toBeLessThan(8)
  })

  test("a conflict means that an earlier ciphertext of the message was stored", async () => {
    const { server, client } = await startEncrypting()
    server.phoenix.handle(/^message:/, "new_msg", () => refuse("conflict"))
    await client.send("kitchen", "Dinner!")
    await eventually(() => expect(client.outbox).toEqual([]))
  })

  test("a ciphertext of a former device is replaced", async () => {
    const { server, client, encrypt } = await startEncrypting()
    withhold(server)
    await client.send("kitchen", "Dinner!")
    await settle()
    vi.spyOn(client.encryption, "isOwn").mockReturnValue(false)
    server.phoenix.drop()
    await pass(2_000)
    expect(encrypt).toHaveBeenCalledTimes(2)
  })

  test("a message waits until the participants have keys or the server answers, and says why it cannot be sent", async () => {
    const { server, client, encrypt } = await startEncrypting()
    for (const error of [new ApiError(0, "encryption_not_ready"), new Unreachable("/mls")]) {
      encrypt.mockRejectedValueOnce(error)
    }
    await client.send("kitchen", "Dinner!")
    for (const ms of [2_100, 4_100]) await pass(ms)
    await eventually(() => expect(sent(server)).toEqual(["Dinner! in 0:1"]))
    encrypt.mockRejectedValueOnce(new ApiError(0, "untrusted_device"))
    await client.send("kitchen", "Dessert!")
    await eventually(() => expect(client.outbox[0]?.refused).toBe("untrusted_device"))
  })

  test("a message with files is refused, and none of them is uploaded", async () => {
    const { server, client } = await startEncrypting()
    const note = { key: "k", kind: "file" as const, name: "note.txt", size: 1, type: "text/plain" }
    await client.send("kitchen", "See this", [note as never])
    await eventually(() => expect(client.outbox[0]?.refused).toBe("encryption_required"))
    expect(sent(server)).toEqual([])
  })

  test("a message whose files were being uploaded when encryption began is not sent as plaintext", async () => {
    const { server, client } = await startEncrypting()
    const isRequired = vi.spyOn(client.encryption, "isRequired").mockReturnValue(false)
    vi.spyOn(client.uploads, "upload").mockImplementation(async () => {
      isRequired.mockReturnValue(true)
      return ["a1"]
    })
    const note = { key: "k", kind: "file" as const, name: "note.txt", size: 1, type: "text/plain" }
    await client.send("kitchen", "See this", [note as never])
    await eventually(() => expect(client.outbox[0]?.refused).toBe("encryption_required"))
    expect(sent(server)).toEqual([])
  })

  test("a reaction is not sent as plaintext, but can be removed", async () => {
    const { server, conversation } = await startEncrypting()
    server.phoenix.handle(/^message:/, "react", () => ({}))
    await expect(conversation.react("m1", "👍")).rejects.toMatchObject({ code: "encryption_required" })
    expect(server.phoenix.payloadsOf("react")).toEqual([])
    await conversation.react("m1", undefined)
    expect(server.phoenix.payloadsOf("react")).toEqual([{ message_id: "m1", emoji: null }])
  })

  test("an edit is encrypted again after epoch_changed, and repeated with the same bytes", async () => {
    const { server, conversation, encrypt } = await startEncrypting()
    const answers = [() => refuse("epoch_changed"), () => undefined, () => ({})]
    server.phoenix.handle(/^message:/, "edit_msg", () => answers.shift()?.())
    const edited = expect(conversation.edit("m1", "Supper!")).rejects.toThrow(Unreachable)
    await pass(13_000)
    await edited
    await conversation.edit("m1", "Supper!")
    const bodies = server.phoenix.payloadsOf("edit_msg").map(({ body }) => body)
    expect(bodies).toEqual(["Supper! in 0:1", "Supper! in 0:2", "Supper! in 0:2"])
    expect(encrypt.mock.calls[0]).toMatchObject(["edit", "kitchen", "m1", { text: "Supper!" }])
  })

  test("what cannot be decrypted is reported, and a new epoch is followed", async () => {
    const { server, conversation, client } = await startEncrypting()
    const follow = vi.spyOn(client.encryption, "follow").mockResolvedValue()
    conversation.reportFailure("m1", 608)
    await settle()
    expect(server.phoenix.payloadsOf("decrypt_failed")).toEqual([{ message_id: "m1", error_code: 608 }])
    server.phoenix.push(conversation.topic, "epoch_changed", {})
    await eventually(() => expect(follow).toHaveBeenCalledWith("kitchen"))
  })
})
