ALTER TABLE events DROP COLUMN suppressed;
DROP INDEX entries_swept;
ALTER TABLE entries DROP COLUMN slots_until, DROP COLUMN slots, DROP COLUMN slot_bytes;
ALTER TABLE boxes DROP COLUMN version_floor, DROP COLUMN reserved_bytes;
