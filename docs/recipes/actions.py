"""Stands in for the services whose actions the recipes call: prints what it is asked, and answers.

Needs nats-py alone. Beside an engine, such as that of `make run`: python actions.py nats://127.0.0.1:4222
"""

import asyncio
import json
import sys

import nats

ARTIFACTS = {  # what actions make; the type of it is the last word of their ids
    "booking.car": {"number": "C-1"},
    "booking.flight": {"number": "F-1"},
    "booking.hotel": {"number": "H-1"},
    "converter.job": {"number": "J-1"},
    "converter.state": {"state": "done"},
    "desk.ticket": {"number": "T-1"},
    "reports.report": {"url": "https://reports.example.org/1"},
    "supplier.offer": {"supplier": "north", "price": 12},
}
OTHERS = [
    "booking.cancel", "carrier.send", "chat.post", "customers.store", "desk.note", "firewall.block",
    "mailer.send", "pager.page", "partner.send", "search.index", "shop.order", "traffic.shift",
    "warehouse.pack",
]  # fmt: skip


async def main(url):
    client = await nats.connect(url)
    for action in [*ARTIFACTS, *OTHERS]:

        async def answer(message, action=action):
            request = json.loads(message.data)
            print(action, json.dumps(request["config"]), flush=True)
            reply = {"success": True}
            if action in ARTIFACTS:
                reply["artifact"] = ARTIFACTS[action]
            await message.respond(json.dumps(reply).encode())

        await client.subscribe(f"lockstep.action.{action}", queue="recipes", cb=answer)
        kind = {"id": action, "owner": "recipes"}
        if action in ARTIFACTS:
            kind["produces"] = action.rpartition(".")[2]
        register = "lockstep.api.catalog.actions.register"
        reply = await client.request(register, json.dumps(kind).encode(), timeout=10)
        if reply.headers and "Nats-Service-Error" in reply.headers:
            raise SystemExit(reply.headers["Nats-Service-Error"])
    print("ready", flush=True)
    await asyncio.Event().wait()


asyncio.run(main(sys.argv[1]))
