-- The version of the entry that was current before entry_version was written, so that a failed creation of a droplet can
-- make it current again; 0 if the entry had no value.
ALTER TABLE droplets ADD COLUMN entry_replaced bigint NOT NULL DEFAULT 0;
