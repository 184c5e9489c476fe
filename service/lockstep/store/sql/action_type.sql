-- A type of action as it is stored. $1 id
select owner, document from action_types where id = $1;
