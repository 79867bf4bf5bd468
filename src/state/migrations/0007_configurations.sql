-- Configurations made through the service, as they were typed.
create table sync_configurations (
    id text primary key,
    name text not null unique,
    -- One object of JSON.
    settings text not null,
    created_at text not null,
    updated_at text not null
);
