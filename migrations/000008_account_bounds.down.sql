ALTER TABLE throttle DROP COLUMN keep_until;
ALTER TABLE boxes DROP COLUMN offer_expires_at;
ALTER TABLE boxes DROP COLUMN offered_to;
ALTER TABLE system DROP COLUMN recovery_codes_keyed;
ALTER TABLE invitations DROP COLUMN key_id;
DELETE FROM recovery_codes WHERE key_id IS NOT NULL;
ALTER TABLE recovery_codes DROP COLUMN key_id;
ALTER TABLE token_families DROP COLUMN token_key_id;
ALTER TABLE token_families DROP COLUMN key_id;
