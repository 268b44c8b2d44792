-- What a person holds back, one pause for each scope. No notice is touched: a pause is asked when one is claimed.
create table pauses (
    scope text not null check (scope in ('all', 'sku', 'order')),
    -- The SKU or the order's number; empty for all.
    subject text not null,
    reason text not null check (reason <> ''),
    since bigint not null,
    until bigint,
    primary key (scope, subject),
    check ((scope = 'all') = (subject = '')),
    check (until is null or until > since)
) without rowid;

-- Where the last settled notice of an order went: another address has heard nothing yet.
alter table orders add column written_to text;
update orders set written_to = (select email from notices
    where order_number = number and settled_at is not null and state not in ('superseded', 'skipped')
    order by settled_at desc limit 1);

-- What happened may be told a second time as well: to a new address, where the old one refused it.
drop index notices_used;
create index notices_used on notices (order_number)
    where state = 'superseded' or kind in ('overdue', 'confirmation', 'shipped', 'cancelled', 'refunded');
