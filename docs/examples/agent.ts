import { Data, Effect, Schema, Stream } from "effect"
import { Chat, Tool, Toolkit } from "knowngood"

// ---------------------------------------------------------------------------------------------------------------------
// Three tools, and what runs them
// ---------------------------------------------------------------------------------------------------------------------

const findOrder = Tool.make({
  name: "find_order",
  description: "An order, by its number",
  parameters: Schema.Struct({ order: Schema.Int }),
  success: Schema.Struct({ customer: Schema.String, paid: Schema.Int, shipped: Schema.Date })
})

const refund = Tool.make({
  name: "refund",
  description: "Pays back a part of an order, in cents",
  parameters: Schema.Struct({ order: Schema.Int, cents: Schema.Int.pipe(Schema.positive()) })
})

const sendMail = Tool.make({
  name: "send_mail",
  description: "Writes to a customer",
  parameters: Schema.Struct({ to: Schema.String, text: Schema.String })
})

/** The model is told of it: "There is no order 7." */
class NoSuchOrder extends Data.TaggedError("NoSuchOrder")<{ readonly order: number }> {
  override readonly message = `There is no order ${this.order}.`
}

/** Where the orders are. The handlers need it, so whoever runs the agent provides it. */
export class Orders extends Effect.Service<Orders>()("example/Orders", {
  succeed: {
    find: (order: number) =>
      order === 42
        ? Effect.succeed({ customer: "ada@example.com", paid: 1900, shipped: new Date("2026-01-02T00:00:00Z") })
        : Effect.fail(new NoSuchOrder({ order }))
  }
}) {}

const toolkit = Toolkit.make(findOrder, refund, sendMail).handlers({
  find_order: ({ order }) => Effect.flatMap(Orders, (orders) => orders.find(order)),
  refund: ({ cents, order }) => Effect.as(Effect.log(`${cents} cents of order ${order}`), "refunded"),
  send_mail: ({ to }) => Effect.succeed(`sent to ${to}`)
})

// ---------------------------------------------------------------------------------------------------------------------
// The agent
// ---------------------------------------------------------------------------------------------------------------------

const Small = Schema.Struct({ cents: Schema.Number.pipe(Schema.lessThanOrEqualTo(1000)) })

/** A refund of more than ten euros is for a human to decide. */
const approve = ({ input, name }: Chat.ToolCall) =>
  Effect.succeed(name !== "refund" || Schema.is(Small)(input) || { refuse: "A human decides on more than 1000 cents." })

/** Answers a customer, and shows each tool as it ends. */
export const answer = (question: string, show: (line: string) => Effect.Effect<void>) =>
  Toolkit.converse(
    { messages: [Chat.system("You look after the orders of a shop."), Chat.user(question)] },
    { toolkit, approve, maxSteps: 8, concurrency: 2 }
  ).pipe(
    Stream.tap((event) =>
      event._tag === "Result" ? show(`${event.step}. ${event.result.call.name}: ${event.result._tag}`) : Effect.void
    ),
    Toolkit.outcome
  )
