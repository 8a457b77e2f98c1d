-- The audit stream, which delivers audit events to another system. It has at most one row. While the row exists, each
-- statement that stores events also adds them to event_queue.
CREATE TABLE event_stream (
    id          smallint PRIMARY KEY CHECK (id = 1),
    holder      uuid NOT NULL, -- the server that delivers the events
    lease_until timestamptz NOT NULL -- afterwards, another server may deliver the events
);

-- Stored events that are not delivered yet: one row for the events of one statement. The order of xid follows the order
-- of commits: if a transaction begins to write after another one has committed, its xid is higher.
CREATE TABLE event_queue (
    xid       xid8 NOT NULL DEFAULT pg_current_xact_id(),
    id        uuid NOT NULL, -- the first element of the column events
    events    uuid[] NOT NULL,
    queued_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (xid, id)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000); -- every row is deleted soon
