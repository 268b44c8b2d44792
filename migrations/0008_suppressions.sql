-- Addresses that get no mail: a server said that they are dead, or a person said so.
create table suppressions (
    -- As customers' addresses are kept: the domain in lower case, the local part as it was given.
    address text primary key,
    cause text not null check (cause in ('refused', 'bounced', 'complained', 'person')),
    -- The server's words, or the person's.
    reason text not null check (reason <> ''),
    since bigint not null,
    -- The notice that brought it to light.
    notice_id text
);
