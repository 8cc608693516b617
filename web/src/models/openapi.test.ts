import { describe, expect, it } from "vitest"

import { boundsOf, byTag, curlOf, operationsOf, typeOf, type OpenApi, type Schema } from "./openapi"

const message: Schema = { $ref: "#/components/schemas/Message" }

const DOCUMENT: OpenApi = {
  info: { title: "Famichat", version: "1" },
  paths: {
    "/api/v1/conversations/{conversation_id}/messages": {
      post: {
        operationId: "sendMessage",
        tags: ["messages"],
        summary: "Send a message",
        requestBody: { content: { "application/json": { schema: message } } },
        responses: { "201": { content: { "application/json": { schema: message } } }, "404": { $ref: "#/r/NotFound" } },
        security: [{ HTTPBearer: [] }],
      },
    },
    "/api/v1/setup": { get: { operationId: "getSetup", tags: ["setup"], summary: "Is setup needed?", responses: {} } },
  },
  components: { schemas: {}, responses: { NotFound: { description: "It does not exist." } } },
  "x-websocket-events": { topics: {} },
}

describe("the reference of the API", () => {
  const [send, setup] = operationsOf(DOCUMENT)

  it("finds responses that operations share", () => {
    expect(send?.responses).toEqual([
      { status: "201", description: "", body: { contentType: "application/json", schema: message } },
      { status: "404", description: "It does not exist.", body: undefined },
    ])
  })

  it("finds operations by all words, whatever their order and case", () => {
    const found = (filter: string) => [...byTag(operationsOf(DOCUMENT), filter).keys()]

    expect(found("")).toEqual(["messages", "setup"])
    expect(found("MESSAGE post")).toEqual(["messages"])
    expect(found("messages get")).toEqual([])
  })

  it("writes types as TypeScript does, and links to schemas", () => {
    const text = (schema: Schema) =>
      typeOf(schema)
        .map((piece) => piece.text)
        .join("")

    expect(typeOf(message)).toEqual([{ text: "Message", schema: "Message" }])
    expect(text({ anyOf: [{ type: "array", items: message }, { type: "null" }] })).toBe("Message[] | null")
    expect(text({ type: "array", items: { anyOf: [message, { type: "null" }] } })).toBe("(Message | null)[]")
    expect(text({ type: "object", additionalProperties: message })).toBe("{ [key: string]: Message }")
    expect(text({ type: "string", enum: ["adult", "child"] })).toBe('"adult" | "child"')
    expect(text({ type: "string", format: "uuid" })).toBe("string (uuid)")
    expect(text({})).toBe("any")
  })

  it("says the bounds of a value, also of one that can be null", () => {
    expect(boundsOf({ anyOf: [{ type: "string", maxLength: 64 }, { type: "null" }], default: null })).toEqual([
      "at most 64 characters",
      "default null",
    ])
  })

  it("shows the request as a command", () => {
    expect(send && curlOf(send, "https://chat.example.org")).toBe(
      "curl --request POST 'https://chat.example.org/api/v1/conversations/CONVERSATION_ID/messages' \\\n" +
        "  --header 'Authorization: Bearer ACCESS_TOKEN' \\\n" +
        "  --header 'Content-Type: application/json' \\\n" +
        "  --data '{}'",
    )
    expect(setup && curlOf(setup, "http://localhost:4000")).toBe(
      "curl --request GET 'http://localhost:4000/api/v1/setup'",
    )
  })
})
