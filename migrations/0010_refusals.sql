-- What a refusal meant, and the parts of the server's words: a mail server's say is on record, not only its text.
alter table attempts add column meaning text;
alter table attempts add column code integer generated always as (case
    when substr(reply, 1, 3) glob '[2-5][0-9][0-9]' and substr(reply, 4, 1) in ('', ' ')
    then cast(substr(reply, 1, 3) as integer) end) virtual;
alter table attempts add column enhanced text generated always as (case
    when code is not null and substr(reply || ' ', 5, instr(substr(reply || ' ', 5), ' ') - 1)
        glob '[245].[0-9]*.[0-9]*'
    and substr(reply || ' ', 5, instr(substr(reply || ' ', 5), ' ') - 1) not glob '*[^0-9.]*'
    then substr(reply || ' ', 5, instr(substr(reply || ' ', 5), ' ') - 1) end) virtual;
-- What is counted by the recipient's domain.
create index attempts_refused on attempts (meaning, ended_at) where meaning in ('policy', 'throttled');

-- Mail to a domain and of a kind may be held back too, and by shipby itself.
create table held_back (
    scope text not null check (scope in ('all', 'sku', 'order', 'domain', 'kind')),
    -- The SKU, the order's number, the domain in lower case or the kind; empty for all.
    subject text not null,
    reason text not null check (reason <> ''),
    set_by text not null check (set_by in ('person', 'shipby')),
    since bigint not null,
    until bigint,
    primary key (scope, subject),
    check ((scope = 'all') = (subject = '')),
    check (until is null or until > since)
) without rowid;
insert into held_back (scope, subject, reason, set_by, since, until)
    select scope, subject, reason, 'person', since, until from pauses;
drop table pauses;
alter table held_back rename to pauses;

-- What was refused for no fault of its own does not lose its use while that is mended: only `queued` tells it apart.
drop index notices_expiring;
create index notices_expiring on notices (useful_until)
    where next_try_at is not null and (state <> 'queued' or kind in ('update_48h', 'weekly_status'));
