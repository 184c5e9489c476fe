"""Provides two actions: `mailer.send` answers at once, `mailer.digest` publishes its result later.

Needs nats-py alone. Run it beside an engine: python provider.py nats://127.0.0.1:4222
"""

import asyncio
import json
import sys

import nats

SCHEMA = {"type": "object", "required": ["to"], "properties": {"to": {"type": "string"}}}
SEND = {"id": "mailer.send", "owner": "mailer", "config_schema": SCHEMA, "produces": "receipt"}
DIGEST = {"id": "mailer.digest", "owner": "mailer", "produces": "receipt", "timeout_seconds": 3600}
sent = {}  # replies by idempotency key: what is asked twice is done once
working = set()


async def send(client, request):
    to = request["config"]["to"]
    if "@" not in to:
        return {"success": False, "error": f"'{to}' is no address"}
    number = f"M-{len(sent) + 1}"
    return sent.setdefault(
        request["idempotency_key"], {"success": True, "artifact": {"number": number, "to": to}}
    )


async def digest(client, request):
    async def work():
        await asyncio.sleep(request["config"].get("seconds", 1))
        result = {"success": True, "artifact": {"number": "D-1", "mails": len(sent)}}
        done = json.dumps({"idempotency_key": request["idempotency_key"], **result}).encode()
        # As a request: the stream answers when it has stored the event.
        await client.request("lockstep.trigger.lockstep.action.done", done)

    working.add(task := asyncio.create_task(work()))
    task.add_done_callback(working.discard)
    return {"accepted": True}


async def main():
    client = await nats.connect(sys.argv[1])
    for action, perform in ((SEND, send), (DIGEST, digest)):

        async def answer(message, perform=perform):
            reply = await perform(client, json.loads(message.data))
            await message.respond(json.dumps(reply).encode())

        await client.subscribe(f"lockstep.action.{action['id']}", queue="mailer", cb=answer)
        register = json.dumps(action).encode()
        reply = await client.request("lockstep.api.catalog.actions.register", register, timeout=10)
        print(action["id"], "registered:", reply.data.decode(), flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
