"""Validation is done in a thread: the loop goes on, however large a definition is."""

import asyncio
import threading
from types import SimpleNamespace
from typing import Any, cast

from lockstep.catalog import MemoryCatalog, build_catalog
from lockstep.engine.control_api import ThreadedChecker
from lockstep.engine.parts import Knowledge

RIGHT = {"name": "x", "triggers": [{"event": "e"}], "actions": [{"stop": {}}]}


class Watched:
    """A catalog that notes which threads ask it."""

    def __init__(self, catalog: MemoryCatalog) -> None:
        self._catalog = catalog
        self.asked: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        self.asked.add(threading.current_thread().name.partition("_")[0])
        return getattr(self._catalog, name)


def test_a_definition_is_judged_in_a_thread_as_its_text_is() -> None:
    catalog = Watched(build_catalog(open=True))

    async def judge() -> None:
        checker = ThreadedChecker(cast("Knowledge", SimpleNamespace(catalog=catalog)))
        assert (await checker.definition(RIGHT)).valid
        wrong = await checker.source("name: x\ntriggers: [{event: e, filter: x | uper}]\n")
        assert [error.path for error in wrong.errors] == [["triggers", 0, "filter"]]
        assert wrong.errors[0].line == 2

    asyncio.run(judge())
    assert catalog.asked == {"MainThread", "validation"}  # the loop asks for the filters alone
