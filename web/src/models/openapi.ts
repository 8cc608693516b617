/** Reads the OpenAPI 3.1 document of the server for its reference page. */

export interface Schema {
  $ref?: string
  type?: string
  title?: string
  description?: string
  format?: string
  enum?: readonly unknown[]
  const?: unknown
  default?: unknown
  anyOf?: readonly Schema[]
  items?: Schema
  properties?: Readonly<Record<string, Schema>>
  additionalProperties?: boolean | Schema
  required?: readonly string[]
  minimum?: number
  maximum?: number
  minLength?: number
  maxLength?: number
  minItems?: number
  maxItems?: number
  pattern?: string
}

type Content = Readonly<Record<string, { schema: Schema }>>

interface Parameter {
  name: string
  in: string
  required?: boolean
  schema: Schema
  description?: string
}

interface Response {
  $ref?: string
  description?: string
  content?: Content
}

interface RawOperation {
  operationId: string
  tags: readonly string[]
  summary: string
  description?: string
  parameters?: readonly Parameter[]
  requestBody?: { content: Content }
  responses: Readonly<Record<string, Response>>
  security?: readonly unknown[]
}

interface Topic {
  events: Readonly<Record<string, Schema>>
  replies: Readonly<Record<string, Schema>>
}

export interface OpenApi {
  info: { title: string; version: string; summary?: string }
  paths: Readonly<Record<string, Readonly<Record<string, RawOperation>>>>
  components: { schemas: Readonly<Record<string, Schema>>; responses: Readonly<Record<string, Response>> }
  "x-websocket-events": { topics: Readonly<Record<string, Topic>> }
}

interface Body {
  contentType: string
  schema: Schema
}

export interface Operation {
  id: string
  tag: string
  method: string
  path: string
  summary: string
  description: string
  /** Whether the request needs an access token. */
  signedIn: boolean
  parameters: readonly Parameter[]
  body: Body | undefined
  responses: readonly { status: string; description: string; body: Body | undefined }[]
}

/** Returns the operations in the order of the document. */
export function operationsOf(document: OpenApi): Operation[] {
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, raw]) => ({
      id: raw.operationId,
      tag: raw.tags[0] ?? "",
      method: method.toUpperCase(),
      path,
      summary: raw.summary,
      description: raw.description ?? "",
      signedIn: (raw.security ?? []).length > 0,
      parameters: raw.parameters ?? [],
      body: bodyOf(raw.requestBody?.content),
      responses: Object.entries(raw.responses).map(([status, response]) => {
        const found = response.$ref ? (document.components.responses[nameOf(response.$ref)] ?? response) : response
        return { status, description: found.description ?? "", body: bodyOf(found.content) }
      }),
    })),
  )
}

function bodyOf(content: Content | undefined): Body | undefined {
  const [first] = Object.entries(content ?? {})
  return first && { contentType: first[0], schema: first[1].schema }
}

/** Returns the operations that contain each of the words in `filter`, by tag. */
export function byTag(operations: readonly Operation[], filter: string): Map<string, Operation[]> {
  const words = filter.toLowerCase().split(/\s+/)
  const found = new Map<string, Operation[]>()
  for (const operation of operations) {
    const { tag, method, path, summary, id } = operation
    const text = `${tag} ${method} ${path} ${summary} ${id}`.toLowerCase()
    if (words.every((word) => text.includes(word))) found.set(tag, [...(found.get(tag) ?? []), operation])
  }
  return found
}

/** A piece of a type; `schema` is the name of the schema that it links to. */
export interface TypePiece {
  text: string
  schema?: string
}

/** Returns a type in the notation of TypeScript, such as `Message[] | null`. */
export function typeOf(schema: Schema): TypePiece[] {
  if (schema.$ref) return [{ text: nameOf(schema.$ref), schema: nameOf(schema.$ref) }]
  if (schema.const !== undefined) return [{ text: JSON.stringify(schema.const) }]
  if (schema.enum) return [{ text: schema.enum.map((each) => JSON.stringify(each)).join(" | ") }]
  if (schema.anyOf) return schema.anyOf.flatMap((each, index) => [...(index ? [{ text: " | " }] : []), ...typeOf(each)])
  if (schema.type === "array") return arrayOf(schema.items ?? {})
  if (typeof schema.additionalProperties === "object") {
    return [{ text: "{ [key: string]: " }, ...typeOf(schema.additionalProperties), { text: " }" }]
  }
  return [{ text: [schema.type ?? "any", schema.format && `(${schema.format})`].filter(Boolean).join(" ") }]
}

function arrayOf(items: Schema): TypePiece[] {
  const pieces = typeOf(items)
  return items.anyOf ? [{ text: "(" }, ...pieces, { text: ")[]" }] : [...pieces, { text: "[]" }]
}

/** Returns the bounds of a value in words, such as `at most 64 characters`. */
export function boundsOf(schema: Schema): string[] {
  const say = (before: string, bound: unknown, after = "") =>
    bound === undefined ? [] : [`${before} ${JSON.stringify(bound)}${after}`]
  return [
    ...say("at least", schema.minimum),
    ...say("at most", schema.maximum),
    ...say("at least", schema.minLength, " characters"),
    ...say("at most", schema.maxLength, " characters"),
    ...say("at least", schema.minItems, " items"),
    ...say("at most", schema.maxItems, " items"),
    ...(schema.pattern === undefined ? [] : [`matches ${schema.pattern}`]),
    ...(schema.anyOf ?? []).flatMap(boundsOf),
    ...say("default", schema.default),
  ]
}

/**
 * Returns a shell command that makes the request. Placeholders are in capitals.
 *
 * @param origin such as `https://chat.example.org`
 */
export function curlOf({ method, path, signedIn, body }: Operation, origin: string): string {
  const url = origin + path.replace(/\{(\w+)\}/g, (_, name: string) => name.toUpperCase())
  const json = body?.contentType === "application/json"
  return [
    `curl --request ${method} '${url}'`,
    ...(signedIn ? ["--header 'Authorization: Bearer ACCESS_TOKEN'"] : []),
    ...(body ? [`--header 'Content-Type: ${body.contentType}'`] : []),
    ...(body ? [json ? "--data '{}'" : "--data-binary @FILE"] : []),
  ].join(" \\\n  ")
}

function nameOf(reference: string): string {
  return reference.slice(reference.lastIndexOf("/") + 1)
}
