"""Tests of a plug-in that need no server."""

import lockstep_tickets

from lockstep.catalog import build_catalog


def test_the_types_are_there() -> None:
    catalog = build_catalog(open=False)
    catalog.register("tickets", lockstep_tickets.register)
    opens = catalog.action("tickets.open")
    assert opens is not None
    assert opens.produces is not None
    assert opens.produces.qualified_id == "tickets.ticket"
    assert catalog.trigger("tickets.file") is not None


def test_an_old_config_is_brought_up_to_date() -> None:
    brought = lockstep_tickets.urgent_became_priority({"title": "x", "urgent": True})
    assert brought == {"title": "x", "priority": "high"}
