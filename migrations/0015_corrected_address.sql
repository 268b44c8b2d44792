-- A person gave the order another address (`order address`): what the shop's system stated before and may go on stating,
-- empty for no address. Null: the address is the shop's.
alter table orders add column replaced_email text;
