-- Types that were registered or changed after a revision, in that order. $1 revision
select 'trigger' as kind, id, owner, document, revision from trigger_types where revision > $1
 union all
select 'action' as kind, id, owner, document, revision from action_types where revision > $1
 order by revision, id;
