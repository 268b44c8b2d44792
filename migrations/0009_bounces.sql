-- What was reported of mails after they were accepted, each report once.
create table bounces (
    notice_id text not null references notices (id),
    -- Of which try: a notice that is tried again may come back again.
    attempt integer not null,
    fate text not null check (fate in ('failed', 'delayed', 'complaint')),
    at bigint not null,
    -- What the server that gave up meant.
    meaning text,
    -- The reporting server's, or the kind of the complaint.
    words text not null,
    primary key (notice_id, attempt, fate)
) without rowid;

create index bounces_meaning on bounces (meaning) where meaning = 'dead_domain';

drop index notices_troubled;
create index notices_troubled on notices (order_number, state, settled_at)
    where state in ('held', 'failed', 'in_doubt', 'bounced') and next_try_at is null;

-- What came to nothing may be told again on the same occasion.
drop index notices_used;
create index notices_used on notices (order_number)
    where state in ('superseded', 'bounced', 'failed', 'in_doubt', 'held', 'skipped')
    or kind in ('overdue', 'confirmation', 'shipped', 'cancelled', 'refunded');
