-- Executions are written down when they begin: finished_at and report stay empty until they end, and status says 'running'.
-- Who died meanwhile is known by the lease.
alter table sync_executions add column command text not null default 'run';

drop index sync_executions_by_sync;

create index sync_executions_newest on sync_executions (sync, id);

-- What is known of tables and rows outlives the executions that it is from: those are removed after a while.
create table sync_change_tracking_kept (
    sync text not null,
    ends text not null,
    table_name text not null,
    -- The target and the columns that took part: what was seen of others is no use.
    shape text not null,
    newest text,
    execution_id text not null,
    primary key (sync, ends, table_name)
);

insert into sync_change_tracking_kept select sync, ends, table_name, shape, newest, execution_id from sync_change_tracking;

drop table sync_change_tracking;

alter table sync_change_tracking_kept rename to sync_change_tracking;

create table sync_row_errors_kept (
    sync text not null,
    ends text not null,
    table_name text not null,
    key text not null,
    -- insert, update or delete
    change text not null,
    class text not null,
    message text not null,
    row text,
    -- Runs in which it failed, the first and the last of them.
    failures integer not null,
    first_execution_id text not null,
    execution_id text not null,
    primary key (sync, ends, table_name, key)
);

insert into sync_row_errors_kept (sync, ends, table_name, key, change, class, message, row, failures, first_execution_id, execution_id)
select e.sync, e.ends, e.table_name, e.key, e.change, e.class, e.message, e.row, e.failures, e.first_execution_id, e.execution_id
from sync_row_errors e;

drop table sync_row_errors;

alter table sync_row_errors_kept rename to sync_row_errors;
