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
