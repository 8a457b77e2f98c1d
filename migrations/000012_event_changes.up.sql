-- The changes that the action made: an array of {"property", "from", "to"}, or null if it changed no property.
ALTER TABLE events ADD COLUMN changes jsonb;
