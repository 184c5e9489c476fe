"""Types of triggers from files."""

from pathlib import Path

from lockstep.catalog import build_catalog, load_triggers

GOOD = """\
id: shop.order
payload_schema: {type: object, required: [id]}
context_key: /id
---
- {id: shop.paid, category: Shop}
- {id: shop.sent}
"""


def test_a_file_may_hold_one_type_a_list_or_several_documents(tmp_path: Path) -> None:
    (tmp_path / "shop.yaml").write_text(GOOD)
    (tmp_path / "notes.txt").write_text("not: a type")
    catalog = build_catalog(open=False)
    assert load_triggers(catalog, tmp_path) == []
    order, paid = catalog.trigger("shop.order"), catalog.trigger("shop.paid")
    assert order is not None
    assert paid is not None
    assert catalog.trigger("shop.sent") is not None
    assert order.owner == "file shop.yaml"
    assert order.context_key is not None
    assert order.context_key({"id": "o1"}) == "o1"
    assert paid.category == "Shop"


def test_a_wrong_type_is_named_with_its_file_and_the_others_are_taken(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("{id: shop.order}\n---\n{id: bad, colour: red}\n")
    (tmp_path / "b.yaml").write_text("[")
    (tmp_path / "c.yaml").write_text("{id: automation.mine}")
    (tmp_path / "d.yaml").write_text("{id: shop.order}")
    (tmp_path / "e.yaml").write_text("{id: shop.late}")
    catalog = build_catalog(open=False)
    faults = load_triggers(catalog, tmp_path)
    names = [Path(fault.split(" (")[0].split(":")[0]).name for fault in faults]
    assert names == ["a.yaml", "b.yaml", "c.yaml", "d.yaml"]
    assert "colour" in faults[0]
    assert "document 2" in faults[0]
    assert "already registered by file a.yaml" in faults[3]
    assert catalog.trigger("shop.late") is not None
