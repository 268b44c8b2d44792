-- Counts the changes of a SKU's queue, so that places in it are worked out once and not for every mail.
create table queues (
    sku text primary key,
    revision bigint not null
) without rowid;

-- Only what may expire is looked for; nearly every notice is settled before it could.
drop index notices_expiring;
create index notices_expiring on notices (useful_until)
    where next_try_at is not null and (attempts > 0 or kind in ('update_48h', 'weekly_status'));
