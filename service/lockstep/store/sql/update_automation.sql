-- $1 id  $2 name  $3 description  $4 status  $5 group  $6 managed by  $7 version  $8 actor  $9 now
update automations
   set name = $2, description = $3, status = $4, group_name = $5, managed_by = $6, version = $7,
       updated_by = $8, updated_at = $9
 where id = $1;
