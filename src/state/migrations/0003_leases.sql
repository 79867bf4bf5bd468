-- Who may write a sync: one process at a time, until a moment that it has to put off again and again.
create table sync_leases (
    sync text not null,
    ends text not null,
    execution_id text not null,
    host text not null,
    -- Where numbers of processes mean the same; none where that cannot be told.
    machine text,
    process integer not null,
    -- When the process began, by the clock of its machine: numbers are given again.
    process_began integer,
    -- Milliseconds since 1970.
    since integer not null,
    until integer not null,
    primary key (sync, ends)
);
