"""What is wrong with this replica, for whoever asks it how the whole is."""

from collections.abc import Callable, Sequence


class Faults:
    """Asks those who may have a fault. Made before them."""

    def __init__(self) -> None:
        self._asked: list[Callable[[], Sequence[str]]] = []

    def ask(self, who: Callable[[], Sequence[str]]) -> None:
        """Take somebody who says, at each look, what is wrong with him: a line for each thing."""
        self._asked.append(who)

    def lines(self) -> list[str]:
        """Say what is wrong; nothing where all is well."""
        return [line for who in self._asked for line in who()]
