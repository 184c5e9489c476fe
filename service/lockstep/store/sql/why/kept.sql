-- Since when what became of events is kept: receipts, and why they started nothing.
select (select received_at from receipts order by received_at limit 1) as events_since,
       -- Of decisions the oldest go: where the first one is there, none has gone.
       (select case when position > 1 then judged_at end
          from judgements order by position limit 1) as decisions_since;
