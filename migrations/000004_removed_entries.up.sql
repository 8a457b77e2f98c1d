-- Deleted entries that can still be restored. They are few, so a read that checks for them costs almost nothing.
CREATE INDEX entries_removed ON entries (box_id, key) WHERE deleted_at IS NOT NULL AND NOT swept;
