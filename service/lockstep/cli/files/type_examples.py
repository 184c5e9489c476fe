"""What the pages of built-in types say beyond their schemas; a case for each, which tests run."""

from collections.abc import Mapping
from typing import Final

from lockstep.schedule import MACROS, MISSED, MOST

MORE: Final[Mapping[str, str]] = {
    "automation.start": """\
The run begins with `payload` as that of its event, and under the mode of its own automation, which
may queue it, or refuse it: then `status` is `skipped`. Where the type of its event says where the
context key stands, it is taken from the payload; else it is the key of this run. With `wait` this
run sleeps until the other one has ended; where that has failed this step has not, and `status` says
so. The step fails where there is no such automation, or several, where it is disabled, where the
payload breaks the schema of its event, and where more than `engine.hop_limit` automations led to
it.""",
    "automation.notify_user": """\
A service of yours delivers it: it answers requests on `lockstep.notify` with
`{results: [{channel, success, error?}]}`, `{deliveredCount}`, or both. Delivered on no channel is
a failure.""",
    "nats.publish": """\
A subject `lockstep.trigger.<event id>` publishes an event. The message id is the idempotency key of
the step, so the stream stores it once. What else begins with `lockstep.` is the engine's own.""",
    "nats.request": "An error of the service is a failure, and so is nobody who answers.",
    "http.request": """\
`make run` and the image have it, an installation of your own with the extra `http`. It calls the
hosts that the setting `http.allowed_hosts` names, and those of a private network only with
`http.allow_private_addresses`. It sends an `Idempotency-Key`. `Retry-After` of an answer sets when
the next attempt begins.""",
    "automation.cron": f"""\
There are {", ".join(f"`{one}`" for one in MACROS)}.
`L` is the last day of the month, `LW` its last working day; `fri#2` is the second Friday, `friL`
the last one. Where the day of the month and that of the week are both limited, either of them will
do; if one begins with a star, both must fit.
A step larger than its range (`*/7` as the day of the week), or behind `L` or `LW`, is refused.
`missed` says what becomes of ticks that came while no engine was there for {MISSED.seconds} seconds
or longer: with `skip` none of them starts a run, with `last` the last one does, with `all` each of
them, the newest {MOST} at most. Across daylight saving it goes as Debian's cron does: a time that
does not exist ticks at the first moment after the gap, one that occurs twice ticks once.""",
    "automation.interval": "Ticks that were missed are not made up for.",
    "automation.template": """\
The expression sees `now` only, the time of the look. An error counts as false. What it was last is
kept, also while no engine runs.""",
}

CASES: Final[Mapping[str, str]] = {
    "automation.start": """\
- id: a-run-starts-another-and-waits-for-it
  automations:
    - id: parent
      definition:
        name: Order
        triggers: [{event: shop.order}]
        actions:
          - id: packed
            action: automation.start
            config: {automation: Packing, payload: {order: "{{ trigger.payload.id }}"}, wait: true}
          - id: note
            action: test.record
            config: {value: "packed: {{ artifacts.packed.child.status }}"}
    - id: packing
      definition:
        name: Packing
        triggers: [{event: packing.asked}]
        actions:
          - {id: pick, action: test.record, config: {value: "order {{ trigger.payload.order }}"}}
          - delay: {seconds: 600}
  events:
    - {event: shop.order, payload: {id: 7}}
    - {wait_s: 601}
  expect: {recorded: [order 7, "packed: success"]}
""",
    "automation.log": """\
- id: a-line
  automation:
    name: Log
    triggers: [{event: sensor.door}]
    actions:
      - action: automation.log
        config: {message: "{{ trigger.payload.room }} was opened", level: warn}
  events: [{event: sensor.door, payload: {room: vault}}]
  expect: {status: success}
""",
    "automation.notify_user": """\
- id: a-user-is-told
  automation:
    name: Notify
    triggers: [{event: sensor.door}]
    actions:
      - id: told
        action: automation.notify_user
        config:
          userId: "{{ trigger.payload.owner }}"
          title: A door is open
          body: "{{ trigger.payload.room }}, since {{ trigger.time | date('time') }}"
          importance: critical
  stubs:
    automation.notify_user: {artifact: {userId: ann, deliveredCount: 1, results: []}}
  events: [{event: sensor.door, payload: {room: vault, owner: ann}}]
  expect: {status: success, action_calls: 1}
""",
    "nats.publish": """\
- id: one-automation-starts-the-next
  automations:
    - id: first
      definition:
        name: First
        triggers: [{event: sensor.door}]
        actions:
          - action: nats.publish
            config:
              subject: lockstep.trigger.guard.called
              payload: {room: "{{ trigger.payload.room }}"}
    - id: second
      definition:
        name: Second
        triggers: [{event: guard.called}]
        actions:
          - {id: note, action: test.record, config: {value: "{{ trigger.payload.room }}"}}
  events: [{event: sensor.door, payload: {room: vault}}]
  expect: {recorded: [vault]}
""",
    "nats.request": """\
- id: nobody-answers
  automation:
    name: Ask
    triggers: [{event: order.made}]
    actions:
      - id: price
        action: nats.request
        config:
          subject: prices.get
          payload: {article: "{{ trigger.payload.article }}"}
          timeout_seconds: 5
      - id: note
        action: test.record
        config: {value: "{{ artifacts.price.reply.payload.amount }}"}
  events: [{event: order.made, payload: {article: tea}}]
  expect: {status: failed, error_contains: nobody answers}
""",
    "http.request": """\
- id: a-ticket
  automation:
    name: Ticket
    triggers: [{event: monitor.disk}]
    actions:
      - id: ticket
        action: http.request
        config:
          method: POST
          url: https://tickets.example.com/api/tickets
          headers: {Accept: application/json}
          body: {title: "{{ trigger.payload.host }} is full"}
        retry: {attempts: 5, delay_seconds: 10}
  stubs:
    http.request: {artifact: {status: 201, headers: {}, body: {id: 7}, body_kind: json}}
  events: [{event: monitor.disk, payload: {host: db1}}]
  expect: {status: success, action_calls: 1}
""",
    "automation.cron": """\
- id: at-seven-on-working-days
  starts_at: "2026-05-29T00:00:00Z" # a Friday
  automation:
    name: Report
    triggers:
      - event: automation.cron
        config: {cronPattern: "0 7 * * mon-fri", timezone: Europe/Berlin}
    actions:
      - {id: note, action: test.record, config: {value: "{{ trigger.payload.firedAt }}"}}
  events: [{wait_s: 345600}] # until Tuesday
  expect: {recorded: ["2026-05-29T05:00:00.000Z", "2026-06-01T05:00:00.000Z"]}
""",
    "automation.interval": """\
- id: every-ten-minutes
  automation:
    name: Look
    triggers: [{event: automation.interval, config: {intervalSeconds: 600}}]
    actions:
      - {id: note, action: test.record, config: {value: look}}
  events: [{wait_s: 1201}]
  expect: {recorded: [look, look]}
""",
    "automation.template": """\
- id: once-when-the-month-begins
  starts_at: "2026-05-31T23:00:00Z"
  automation:
    name: Month
    triggers:
      - event: automation.template
        config: {value_template: "now | date('%d') == '01'", intervalSeconds: 600}
    actions:
      - {id: note, action: test.record, config: {value: a new month}}
  events: [{wait_s: 7201}]
  expect: {recorded: [a new month]}
""",
}
