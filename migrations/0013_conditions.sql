-- Conditions of indexes are comparisons: for a list SQLite makes a table, anew in each statement that touches a row, and
-- looks into it twice a row.

-- Names that are used up while they may come again. A weekly status that was mailed never does.
drop index notices_used;
create index notices_used on notices (order_number)
    where kind <> 'weekly_status' or (next_try_at is null and state <> 'accepted' and state <> 'sending');

-- What went wrong and is nobody's to try again by itself.
drop index notices_troubled;
create index notices_troubled on notices (order_number, state, settled_at)
    where next_try_at is null and (state = 'held' or state = 'failed' or state = 'in_doubt' or state = 'bounced');
