ALTER TABLE events DROP COLUMN changes;
