// Publishes that somebody has ordered.
//
// npm install @nats-io/transport-node && node publish.mjs nats://127.0.0.1:4222 ORDER

import { connect, headers } from "@nats-io/transport-node";

const ORDERED = { // the same from every service: the one that comes first, or last, changes nothing
  id: "shop.ordered",
  owner: "shop",
  context_key: "/order",
  payload_schema: {
    type: "object",
    required: ["order", "customer"],
    properties: {
      order: { type: "string" },
      customer: { type: "string" },
      first: { type: "boolean" },
    },
  },
};

const [url, order] = process.argv.slice(2);
const client = await connect({ servers: url });
const register = "lockstep.api.catalog.triggers.register";
const reply = await client.request(register, JSON.stringify(ORDERED), { timeout: 10_000 });
if (reply.headers?.has("Nats-Service-Error")) throw new Error(reply.headers.get("Nats-Service-Error"));

const about = headers();
about.set("Nats-Msg-Id", `ordered-${order}`); // published again, it is not taken again
about.set("Lockstep-Actor", JSON.stringify({ type: "application", id: "shop-js", name: "JavaScript" }));
const payload = JSON.stringify({ order, customer: "Ann", first: true });
// As a request: the stream answers when it has stored the event.
const answer = await client.request("lockstep.trigger.shop.ordered", payload, { headers: about, timeout: 10_000 });
const stored = answer.json();
if (stored.error) throw new Error(stored.error.description);
console.log(stored.stream, stored.seq, stored.duplicate ? "known already" : "new");
await client.close();
