-- Keep why events started nothing. $1..$8 arrays in the order of the columns
insert into judgements (
    delivery, event_id, message_id, automation_id, trigger_id, gate, detail, judged_at
)
select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[],
                     $7::text[], $8::timestamptz[]);
