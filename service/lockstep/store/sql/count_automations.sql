-- $1 status or null   $2 group or null
select count(*) as total
  from automations a
 where ($1::text is null or a.status = $1)
   and ($2::text is null or a.group_name = $2);
