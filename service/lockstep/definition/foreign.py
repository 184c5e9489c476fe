"""What authors of other languages write, and what it is here."""

from collections.abc import Mapping
from typing import Final

_PAYLOAD: Final = "what was published is `trigger.payload`"
_PRODUCED: Final = "what an action has produced is `artifacts.<its id>.<name of the type>`"
_VARIABLES: Final = "write `variables`, and set them with the action `variables`"
_STATES: Final = "there are events here and no states: what was published is `trigger.payload`"

_ROOTS: Final[Mapping[str, str]] = {
    # Home Assistant
    "states": _STATES,
    "this": _STATES,
    "event": _PAYLOAD,
    # GitHub Actions
    "github": _PAYLOAD,
    "inputs": _PAYLOAD,
    "env": _VARIABLES,
    "matrix": "write `repeat.item`, in the action `repeat` with `for_each`",
    "steps": _PRODUCED,
    "needs": _PRODUCED,
    "job": "write `run`, which has `id`",
    "secrets": "write `${{ secrets.NAME }}`, in a field that its schema marks as a secret",
    # Ansible
    "item": "write `repeat.item`, in the action `repeat` with `for_each`",
    "loop": "write `repeat`, in the action `repeat`",
    "ansible_loop": "write `repeat`, in the action `repeat`",
    "ansible_facts": _PAYLOAD,
    "ansible_date_time": "write `now`, and `now | date('%Y-%m-%d')` for a part of it",
    "inventory_hostname": _PAYLOAD,
    "hostvars": _PAYLOAD,
    # Kestra
    "outputs": _PRODUCED,
    "execution": "write `run`, which has `id`",
    "flow": "write `automation`, which has `id` and `name`",
    "taskrun": "write `repeat`, in the action `repeat`",
    "vars": _VARIABLES,
    "envs": _VARIABLES,
    # anybody
    "payload": _PAYLOAD,
    "data": _PAYLOAD,
    "body": _PAYLOAD,
    "message": _PAYLOAD,
    "undefined": "write `null`, or the test `is defined`",
    "nil": "write `null`",
}


def root(name: str) -> str | None:
    """Say what to write for a name at the root of an expression."""
    return _ROOTS.get(name)
