-- Texts that mails have in common: kept mails are compressed after one.
create table patterns (
    id text primary key,
    bytes blob not null
);
alter table messages add column pattern text references patterns (id);
