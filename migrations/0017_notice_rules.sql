-- What statements must know about the kind of a notice is written with it when it is inserted, as `urgency` is: no
-- statement and no index lists kinds.
drop index notices_used;
drop index notices_expiring;

-- In doubt it is for a person to look at; of the others the next takes its place.
alter table notices add column must_be_known integer not null default 0 check (must_be_known in (0, 1));
-- It tells of a shipment, a cancellation or a refund.
alter table notices add column tells_event integer not null default 0 check (tells_event in (0, 1));
-- It is the first word about its order.
alter table notices add column is_first integer not null default 0 check (is_first in (0, 1));
-- Its occasion may come a second time.
alter table notices add column may_repeat integer not null default 0 check (may_repeat in (0, 1));
-- It loses its use with time before its first try too.
alter table notices add column loses_use integer not null default 0 check (loses_use in (0, 1));
-- It is of use again when a person has it tried again.
alter table notices add column is_renewable integer not null default 0 check (is_renewable in (0, 1));
update notices set
    must_be_known = kind not in ('update_48h', 'weekly_status', 'date_improved', 'restock'),
    tells_event = kind in ('shipped', 'cancelled', 'refunded'),
    is_first = kind = 'confirmation',
    may_repeat = kind in ('overdue', 'confirmation', 'shipped', 'cancelled', 'refunded'),
    loses_use = kind in ('update_48h', 'weekly_status'),
    is_renewable = kind <> 'update_48h';

-- Names that are used up while they may come again.
create index notices_used on notices (order_number)
    where next_try_at is null and state <> 'sending' and (may_repeat = 1 or state <> 'accepted');
-- Only what may expire is looked for; nearly every notice is settled before it could.
create index notices_expiring on notices (useful_until)
    where next_try_at is not null and (state <> 'queued' or loses_use = 1);
