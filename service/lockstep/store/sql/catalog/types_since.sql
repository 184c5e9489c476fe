-- Types that were registered or changed after a revision, in that order.
-- :revision bigint
select 'trigger' as kind, id, owner, document, revision
  from trigger_types
 where revision > :revision
 union all
select 'action' as kind, id, owner, document, revision
  from action_types
 where revision > :revision
 order by revision, id;
