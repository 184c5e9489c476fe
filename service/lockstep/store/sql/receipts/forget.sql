-- A page of receipts that are older than their time, of events that cannot come again: the stream
-- has passed them, or it is another stream by now. Those of what is no event of the bus (children,
-- schedules, set-ups) go by age.
-- Locks: receipts by age; what others have locked is passed over.
-- :hours float8
-- :after timestamptz: looked at before
-- :stream text, :first bigint: what the stream still has begins there
-- :created timestamptz: of the stream
-- :limit bigint
with old as materialized (
    select delivery, received_at,
           stream is distinct from :stream or sequence < :first or received_at < :created as is_over
      from receipts
     where received_at > :after
       and received_at < clock_timestamp() - make_interval(secs => 3600 * :hours)
     order by received_at
     limit :limit
       for update skip locked
),
gone as (
    -- As an array: a join would read the whole table.
    delete from receipts where delivery = any (array(select delivery from old where is_over))
)
select count(*) as looked, max(received_at) as last,
       count(*) filter (where not is_over) as kept
  from old;
