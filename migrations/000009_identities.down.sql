ALTER TABLE entry_versions DROP COLUMN box_key_id;
ALTER TABLE entries DROP COLUMN box_key_id;
ALTER TABLE boxes DROP COLUMN box_key_id;
DROP TABLE box_key_ids, box_keyring_recipients, box_keyrings, locked_identities, identities;
