-- Entries that were deleted and may be restored: few, so that reading one that is not among them costs next to nothing.
CREATE INDEX entries_removed ON entries (box_id, key) WHERE deleted_at IS NOT NULL AND NOT swept;
