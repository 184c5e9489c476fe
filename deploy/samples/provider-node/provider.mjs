// Provides two actions: `printer.print` answers at once, `printer.bind` publishes its result later.
//
// npm install && node provider.mjs nats://127.0.0.1:4222

import { connect } from "@nats-io/transport-node";

const actions = {
  "printer.print": {
    display_name: "Print a page",
    config_schema: {
      type: "object",
      required: ["text"],
      properties: { text: { type: "string" }, copies: { type: "integer", minimum: 1 } },
    },
    produces: "job",
    async perform(request) {
      const { text, copies = 1 } = request.config;
      if (text.length > 1000) return { success: false, error: "too long for one page" };
      return { success: true, artifact: { pages: copies } };
    },
  },
  "printer.bind": {
    display_name: "Bind a book",
    produces: "job",
    timeout_seconds: 3600,
    async perform(request) {
      setTimeout(() => finish(request), 1000 * (request.config.seconds ?? 1));
      return { accepted: true };
    },
  },
};

const client = await connect({ servers: process.argv[2] });
const jobs = new Map(); // replies by idempotency key: what is asked twice is done once

async function finish(request) {
  const done = {
    idempotency_key: request.idempotency_key,
    success: true,
    artifact: { pages: 100 },
  };
  // As a request: the stream answers when it has stored the event.
  await client.request("lockstep.trigger.lockstep.action.done", JSON.stringify(done));
}

for (const [id, { perform, ...type }] of Object.entries(actions)) {
  client.subscribe(`lockstep.action.${id}`, {
    queue: "printer",
    callback: async (error, message) => {
      if (error) throw error;
      const request = message.json();
      const key = request.idempotency_key;
      if (!jobs.has(key)) jobs.set(key, perform(request));
      message.respond(JSON.stringify(await jobs.get(key)));
    },
  });
  const register = JSON.stringify({ id, owner: "printer", ...type });
  const reply = await client.request("lockstep.api.catalog.actions.register", register);
  console.log(id, "registered:", reply.string());
}
