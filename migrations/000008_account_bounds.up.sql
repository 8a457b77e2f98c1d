-- The server keys that the digests of opaque tokens depend on: the session key and the token key. Null for a sign-in of
-- an older release, which is no longer valid.
ALTER TABLE token_families ADD COLUMN key_id uuid;
ALTER TABLE token_families ADD COLUMN token_key_id uuid;
-- The token key of the digest. Null for the plain hash of an older release, which is replaced once, at a start.
ALTER TABLE recovery_codes ADD COLUMN key_id uuid;
-- The token key of the proof. Null for a proof of an older release, which is under the key of purpose throttle.
ALTER TABLE invitations ADD COLUMN key_id uuid;
-- True once all recovery codes of older releases have a keyed digest. Plain hashes are not accepted afterwards.
ALTER TABLE system ADD COLUMN recovery_codes_keyed boolean NOT NULL DEFAULT false;
-- The member to whom the ownership of the box is offered.
ALTER TABLE boxes ADD COLUMN offered_to uuid REFERENCES users (id) ON DELETE SET NULL;
ALTER TABLE boxes ADD COLUMN offer_expires_at timestamptz;
CREATE INDEX boxes_offered ON boxes (offered_to) WHERE offered_to IS NOT NULL;
-- Until when a count of attempts is kept; null if only the age of its last attempt matters.
ALTER TABLE throttle ADD COLUMN keep_until timestamptz;
