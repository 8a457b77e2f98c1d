-- Storage that is reserved for the versions of an entry: slots versions of at most slot_bytes each. Versions up to the
-- number slots_until have room even if no older one is deleted. reserved_bytes is the total of a box. Entries that were
-- written before this migration have no reservation; their next write makes one.
ALTER TABLE boxes ADD COLUMN reserved_bytes bigint NOT NULL DEFAULT 0;
ALTER TABLE entries
    ADD COLUMN slot_bytes bigint NOT NULL DEFAULT 0,
    ADD COLUMN slots integer NOT NULL DEFAULT 0,
    ADD COLUMN slots_until bigint NOT NULL DEFAULT 0;

-- The rows of keys that were deleted long ago are limited per box. Before the oldest rows are removed, version_floor is
-- raised to their version numbers. A key without a row continues after version_floor, so version numbers never restart.
ALTER TABLE boxes ADD COLUMN version_floor bigint NOT NULL DEFAULT 0;
CREATE INDEX entries_swept ON entries (box_id, deleted_at) WHERE swept;

-- The number of further refusals that an event stands for; null for none.
ALTER TABLE events ADD COLUMN suppressed integer;
