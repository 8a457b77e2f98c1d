-- The audit stream, which delivers audit events to another system. It has at most one row. While the row exists, each
-- statement that stores events also adds them to event_queue.
CREATE TABLE event_stream (
    id          smallint PRIMARY KEY CHECK (id = 1),
    holder      uuid NOT NULL, -- the server that delivers
    lease_until timestamptz NOT NULL -- then another server may deliver
);

-- Stored events that are not delivered yet: one row for the events of one statement. The order of xid follows commits:
-- a transaction that begins to write after another one has committed has a higher number.
CREATE TABLE event_queue (
    xid       xid8 NOT NULL DEFAULT pg_current_xact_id(),
    id        uuid NOT NULL, -- the first of events
    events    uuid[] NOT NULL,
    queued_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (xid, id)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000); -- every row is deleted soon
