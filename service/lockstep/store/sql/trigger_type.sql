-- A type of trigger as it is stored. $1 id
select owner, document from trigger_types where id = $1;
