import { beforeEach, expect, test, vi } from "vitest"

import { useFakeBrowser } from "../testing/client"
import { pass, settle } from "../testing/clock"
import { PhoenixServer, refuse } from "../testing/phoenix-server"
import { EventMonitor } from "./event-monitor"

useFakeBrowser()

let server: PhoenixServer

beforeEach(() => {
  server = new PhoenixServer()
  server.install()
})

function monitor() {
  const [onFrame, onState] = [vi.fn(), vi.fn()]
  const monitor = new EventMonitor("token", onFrame, onState)
  const frames = () => onFrame.mock.calls.map(([{ direction, topic, event }]) => `${direction} ${topic} ${event}`)
  return { monitor, onFrame, frames, states: () => onState.mock.calls.flat() }
}

test("the monitor connects with the token and reports the state of the connection", async () => {
  const { states } = monitor()
  expect(states()).toEqual(["connecting"])
  await settle()
  expect(states()).toEqual(["connecting", "open"])
  expect(server.sockets[0]?.token).toBe("token")
  server.drop()
  await settle()
  expect(states().at(-1)).toBe("lost")
})

test("frames of both directions are reported", async () => {
  const { monitor: monitored, onFrame, frames } = monitor()
  await settle()
  const joined = monitored.join("message:group:kitchen")
  await settle()
  expect(await joined).toBeUndefined()
  monitored.push("typing", { typing: true })
  await settle()
  server.push("message:group:kitchen", "new_msg", { seq: 1 })
  expect(frames().filter((frame) => !frame.includes(" phoenix "))).toEqual([
    "out message:group:kitchen phx_join",
    "in message:group:kitchen phx_reply",
    "out message:group:kitchen typing",
    "in message:group:kitchen new_msg",
  ])
  expect(onFrame).toHaveBeenLastCalledWith(expect.objectContaining({ payload: { seq: 1 } }))
})

test("a refused join gives the reason, and is not repeated", async () => {
  server.handle(/attic/, "phx_join", () => refuse("not_found"))
  const { monitor: monitored } = monitor()
  await settle()
  expect(await monitored.join("message:group:attic")).toBe("not_found")
  await pass(60_000)
  expect(server.framesOf("phx_join")).toHaveLength(1)
})

test("a join without a reply times out", async () => {
  server.handle(/attic/, "phx_join", () => undefined)
  const { monitor: monitored } = monitor()
  await settle()
  const joined = monitored.join("message:group:attic")
  await pass(10_000)
  expect(await joined).toBe("timeout")
})

test("another topic replaces the one before", async () => {
  const { monitor: monitored } = monitor()
  await settle()
  await monitored.join("message:group:kitchen")
  await monitored.join("message:group:attic")
  expect(server.framesOf("phx_leave").map(({ topic }) => topic)).toEqual(["message:group:kitchen"])
})

test("a closed monitor disconnects", async () => {
  const { monitor: monitored } = monitor()
  await settle()
  monitored.close()
  await pass(60_000)
  expect(server.sockets.map(({ readyState }) => readyState)).toEqual([3])
})
