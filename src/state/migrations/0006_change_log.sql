-- What was last seen of the log of changes that triggers write beside a table of the source.
alter table sync_change_tracking add column log_mark text;

alter table sync_change_tracking add column log_last integer;
