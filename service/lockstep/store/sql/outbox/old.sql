-- What should have been published by now, oldest first: its worker died, or the bus was away. As
-- many as have 8 MiB, or one. What stands behind a parked row stays there.
-- :seconds float8, :limit bigint
select topic, seq, subject, message_id, body, created_at
  from (
       select o.*, row_number() over in_turn as place,
              sum(octet_length(o.body)) over in_turn as bytes
         from (
              select *
                from outbox n
               where created_at < clock_timestamp() - make_interval(secs => :seconds)
                 and not exists (
                     select from outbox p where p.topic = n.topic and p.parked_at is not null
                 )
               order by created_at, topic, seq
               limit :limit
              ) as o
       window in_turn as (order by o.created_at, o.topic, o.seq)
       ) as found
 where bytes <= 8388608 or place = 1
 order by created_at, topic, seq;
