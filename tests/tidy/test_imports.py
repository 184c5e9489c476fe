"""Who may import whom."""

from contracts import CONTRACTS, DRIVERS, driver_strays
from sources import SCHEMAS, product, read, samples

# What the schemas may use: they are for others too, who have nothing else of ours.
OF_SCHEMAS = {"msgspec", "typing", "datetime", "lockstep_schemas", "collections", "re", "uuid"}


def test_a_part_imports_only_what_its_contract_allows() -> None:
    assert CONTRACTS.strays(product()) == []


def test_the_contracts_agree_with_the_order_of_the_layers() -> None:
    assert CONTRACTS.contradictions() == []


def test_every_exception_is_still_needed() -> None:
    assert CONTRACTS.idle_exceptions(product()) == []


def test_a_driver_is_imported_by_its_own_part_only() -> None:
    assert driver_strays(product(), CONTRACTS, DRIVERS) == []


def test_the_schemas_import_nothing_but_msgspec_and_the_standard_library() -> None:
    strays = [
        str(found)
        for found in read(SCHEMAS).imports
        if found.target.partition(".")[0] not in OF_SCHEMAS
    ]
    assert strays == []


def test_a_plug_in_needs_nothing_but_the_catalog() -> None:
    strays = [
        str(found)
        for found in samples().imports
        if found.target.startswith("lockstep.") and found.target != "lockstep.catalog"
    ]
    assert strays == []
