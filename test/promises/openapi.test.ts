/** What crosses HTTP can be described: one document of all schemas, in names that OpenAPI allows. */
import { HttpApi, HttpApiEndpoint, HttpApiGroup, OpenApi } from "@effect/platform"
import { describe, expect, it } from "@effect/vitest"
import { Schema } from "effect"
import { ChatSchema, ProviderError } from "../../src/index.js"

const { Request, ...others } = ChatSchema

const Api = HttpApi.make("everything").add(
  HttpApiGroup.make("chat")
    .add(HttpApiEndpoint.post("ask", "/ask").setPayload(Request).addSuccess(ChatSchema.Reply))
    .add(HttpApiEndpoint.get("all", "/all").addSuccess(Schema.partial(Schema.Struct(others))))
    .addError(ProviderError.schema)
)

const document = OpenApi.fromApi(Api)

/** Every `$ref` below a value. */
const refs = (value: unknown): ReadonlyArray<string> =>
  typeof value === "object" && value !== null
    ? Object.entries(value).flatMap(([key, each]) => (key === "$ref" && typeof each === "string" ? [each] : refs(each)))
    : []

describe("an OpenAPI document of an HttpApi that uses every schema", () => {
  const components = Object.keys(document.components.schemas)

  it("names its components as OpenAPI allows", () => {
    expect(components.filter((name) => !/^[A-Za-z0-9._-]+$/.test(name))).toEqual([])
  })

  it("has each schema and each error under a name of its own", () => {
    const errors = ["AuthMissing", "AuthRejected", "Transient", "QuotaExceeded", "InvalidRequest", "InvalidResponse"]
    const expected = [...Object.keys(ChatSchema), ...errors].map((name) => `knowngood.${name}`)
    expect(expected.filter((name) => !components.includes(name))).toEqual([])
  })

  it("refers to nothing that it does not have", () => {
    const missing = refs(document)
      .map((ref) => ref.replace("#/components/schemas/", "").replaceAll("~1", "/"))
      .filter((name) => !components.includes(name))
    expect(missing).toEqual([])
  })

  it("lists each status that an error is answered with", () => {
    const { responses } = document.paths["/ask"]?.post ?? { responses: {} }
    expect(Object.keys(responses)).toEqual(["200", "400", "402", "413", "422", "429", "500", "502", "503"])
  })
})
