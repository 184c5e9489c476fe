-- Everything but the schema: one case of `lockstep test` must not see the one before.
with a as (delete from automations), r as (delete from runs), f as (delete from run_frames),
     s as (delete from run_steps), t as (delete from artifacts), c as (delete from receipts),
     o as (delete from outbox), w as (delete from waits),
     n as (delete from occurrences), i as (delete from timers), j as (delete from judgements),
     u as (delete from suspects), k as (delete from failed_frames), b as (delete from bodies),
     m as (delete from migration_failures), p as (delete from parked_events),
     e as (delete from recent_events), z as (delete from recent_sizes), d as (delete from dropped_events),
     x as (delete from taken_events), h as (delete from hold_events)
update catalog_revision set revision = revision + 1;
