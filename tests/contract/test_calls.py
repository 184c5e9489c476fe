"""Calls that few other tests make: the schemas of all endpoints meet what really crosses."""

from uuid import uuid4

from engine.engine_fixture import engine_fixture, settings_of
from lockstep.embedded import Servers
from patience import patience


async def test_what_the_endpoints_answer_is_as_their_schemas_say(
    servers: Servers, dsn: str
) -> None:
    settings = settings_of(servers.nats_url, dsn, f"p{uuid4().hex[:12]}")
    async with engine_fixture(settings) as opened:
        stored = await opened.automation([{"id": "made", "action": "test.create", "config": {}}])
        started = await opened.call(
            "runs.start", automation_id=stored.id, payload={"a": 1}, context_key=None
        )
        detail = await opened.call("runs.get", id=started["run_id"])
        for artifact in detail["artifacts"]:
            await opened.call("artifacts.close", id=artifact["id"])
        await stored.run({})
        async with patience():  # what was judged is written behind the run
            while not (await opened.call("events.why", event=stored.event))["items"]:
                await opened.assembly.hearing.decisions.settled()
        for kind in ("triggers", "actions", "artifact_types"):
            assert (await opened.call(f"catalog.{kind}"))["items"]
        for template, mode in (("{{ a }}", "template"), ("a > 1", "condition"), ("{{", "template")):
            await opened.call("templates.render", template=template, context={"a": 2}, mode=mode)
        assert (await opened.call("automations.validate", source="name: [\n"))["errors"]
        assert (await opened.ask("runs.get", id="none")).error_code == "404"
