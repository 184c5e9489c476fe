"""Examples of each command, as its `--help` shows them at the end."""

from collections.abc import Mapping
from typing import Final

EXAMPLES: Final[Mapping[str, tuple[str, ...]]] = {
    "dev": ("dev", "dev --folder /tmp/try --no-samples"),
    "serve": (
        "serve",
        "--config /etc/lockstep.toml serve",
        "--nats-url nats://nats:4222 serve",
    ),
    "apply": (
        "apply flows/",
        "apply door.yaml --dry-run",
        "apply flows/ --prune --json",
    ),
    "validate": ("validate flows/", "validate door.yaml --strict", "validate . --json"),
    "test": (
        "test door-cases.yaml",
        "test cases/ --only door-opens -n 2",
        "test cases/ --junit report.xml",
    ),
    "publish": (
        """publish sensor.door --payload '{"room": "vault", "state": "open"}'""",
        "publish orders.created --payload @order.json --context-key A-1",
        "publish demo.hello --message-id once",
    ),
    "start": (
        """start "Door guard" --payload '{"open": true}' --context-key vault""",
        "start sample-orders --trigger trigger_1 --payload @order.json",
    ),
    "toggle": ('toggle "Door guard" --off', "toggle sample-orders --on"),
    "why": ("why sensor.door", "why sensor.door --automation sample-orders --limit 20"),
    "cancel": (
        "cancel 0197c5f0-8f1e-7d3a-9c55-3f6f0d3e9b11",
        'cancel RUN_ID RUN_ID --reason "it was the wind"',
    ),
    "retry": ("retry RUN_ID", "retry RUN_ID --from start"),
    "status": ("status", "status --json"),
    "versions": (
        "versions sample-orders",
        "versions sample-orders --diff 1 3",
        "versions sample-orders --show 2 > before.yaml",
    ),
    "config": ("config", "config --json", "config --reference > CONFIGURATION.md"),
    "schemas": ("schemas", "schemas /tmp/contract", "schemas --check"),
    "doctor": ("doctor", "doctor --nats-monitor http://127.0.0.1:8222 --json"),
    "bench": ("bench", "bench latency --events 2000", "bench sleepers --sleepers 10000"),
    "automations list": ("automations list --status disabled", "automations list --group doors"),
    "automations show": ("automations show sample-orders > orders.yaml",),
    "runs list": (
        "runs list --automation sample-orders --status failed --since 2h",
        "runs list --limit 200 --cursor 4711",
    ),
    "runs show": ("runs show RUN_ID", "runs show RUN_ID --all"),
    "runs watch": (
        "runs watch",
        "runs watch --automation sample-orders --status failed --status cancelled",
        "runs watch RUN_ID && echo it succeeded",
    ),
    "catalog triggers": ("catalog triggers", "catalog triggers orders.created"),
    "catalog actions": ("catalog actions", "catalog actions nats.publish --json"),
    "catalog artifacts": ("catalog artifacts", "catalog artifacts tickets.ticket"),
    "dead list": ("dead list", "dead list --event 'orders.*' --limit 200"),
    "dead show": ("dead show 17",),
    "dead retry": ("dead retry 17 18", "dead retry --event orders.created", "dead retry --all"),
    "dead discard": ("dead discard 17", "dead discard --event 'orders.*' --yes"),
    "migrate-subscriptions": (
        "migrate-subscriptions subscriptions.json",
        "migrate-subscriptions subscriptions.yaml --json",
    ),
    "migration failures": ("migration failures", "migration failures --json"),
    "migration acknowledge": ("migration acknowledge sub-17", "migration acknowledge --all"),
    "bus apply": ("bus apply", "--nats-url nats://nats:4222 bus apply --json"),
    "bus status": ("bus status",),
    "db migrate": ("db migrate",),
    "db status": ("db status", "db status --json"),
}


def examples(command: str) -> str:
    """Give the end of the help of a command, in lines that stay as they are."""
    lines = (f"  lockstep {line}" for line in EXAMPLES[command])
    return "\n".join(("\b", "Examples:", *lines))
