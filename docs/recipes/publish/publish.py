"""Publishes that somebody has ordered.

pip install nats-py && python publish.py nats://127.0.0.1:4222 ORDER
"""

import asyncio
import json
import sys

import nats

ORDERED = {  # the same from every service: the one that comes first, or last, changes nothing
    "id": "shop.ordered",
    "owner": "shop",
    "context_key": "/order",
    "payload_schema": {
        "type": "object",
        "required": ["order", "customer"],
        "properties": {
            "order": {"type": "string"},
            "customer": {"type": "string"},
            "first": {"type": "boolean"},
        },
    },
}


async def main(url, order):
    client = await nats.connect(url)
    register = "lockstep.api.catalog.triggers.register"
    reply = await client.request(register, json.dumps(ORDERED).encode(), timeout=10)
    if reply.headers and "Nats-Service-Error" in reply.headers:
        raise SystemExit(reply.headers["Nats-Service-Error"])
    headers = {
        "Nats-Msg-Id": f"ordered-{order}",  # published again, it is not taken again
        "Lockstep-Actor": json.dumps({"type": "application", "id": "shop-py", "name": "Python"}),
    }
    payload = json.dumps({"order": order, "customer": "Ann", "first": True}).encode()
    stored = await client.jetstream().publish(
        "lockstep.trigger.shop.ordered", payload, headers=headers
    )
    print(stored.stream, stored.seq, "known already" if stored.duplicate else "new")
    await client.close()


asyncio.run(main(*sys.argv[1:]))
