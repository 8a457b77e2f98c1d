-- Public keys of users. A key stays permanently, so that every keyring can be checked later; it also stays when its user
-- is deleted, so user_id has no foreign key.
CREATE TABLE identities (
    fingerprint bytea PRIMARY KEY CHECK (length(fingerprint) = 32),
    user_id     uuid NOT NULL,
    public      bytea NOT NULL CHECK (length(public) = 1249),
    is_current  boolean NOT NULL,
    created_at  timestamptz NOT NULL
);
CREATE UNIQUE INDEX identities_current ON identities (user_id) WHERE is_current;
CREATE INDEX identities_user ON identities (user_id);

-- The seed of a user's current identity, encrypted by the client under a passphrase and then sealed under an account
-- key.
CREATE TABLE locked_identities (
    user_id     uuid PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    fingerprint bytea NOT NULL,
    key_id      uuid NOT NULL, -- the account key that seals it
    sealed      bytea NOT NULL,
    created_at  timestamptz NOT NULL
);

-- The keyrings of a box. The newest one is in force. Clients make and check them; the server stores and orders them.
CREATE TABLE box_keyrings (
    box_id     uuid NOT NULL REFERENCES boxes (id) ON DELETE CASCADE,
    sequence   bigint NOT NULL CHECK (sequence > 0),
    key_id     bytea NOT NULL, -- the id of the box key
    author     bytea NOT NULL, -- the fingerprint of its author
    head       bytea NOT NULL,
    chain      bytea NOT NULL,
    signature  bytea NOT NULL,
    surplus    boolean NOT NULL DEFAULT false, -- ten newer keyrings exist: it is deleted when it is old enough
    created_at timestamptz NOT NULL,
    PRIMARY KEY (box_id, sequence)
);
ALTER TABLE box_keyrings ALTER COLUMN chain SET STORAGE EXTERNAL; -- ciphertext cannot be compressed
CREATE INDEX box_keyrings_surplus ON box_keyrings (created_at) WHERE surplus;

-- The box key, wrapped for each recipient of a keyring.
CREATE TABLE box_keyring_recipients (
    box_id      uuid NOT NULL,
    sequence    bigint NOT NULL,
    fingerprint bytea NOT NULL,
    user_id     uuid NOT NULL,
    wrapped     bytea NOT NULL,
    PRIMARY KEY (box_id, sequence, fingerprint),
    FOREIGN KEY (box_id, sequence) REFERENCES box_keyrings (box_id, sequence) ON DELETE CASCADE
);
ALTER TABLE box_keyring_recipients ALTER COLUMN wrapped SET STORAGE PLAIN;

-- Every key id that a box has used. It outlives old keyrings, so that a key is never used again after it was replaced.
CREATE TABLE box_key_ids (
    box_id uuid NOT NULL REFERENCES boxes (id) ON DELETE CASCADE,
    key_id bytea NOT NULL,
    PRIMARY KEY (box_id, key_id)
);

-- The id of the key in force; null for a box without a keyring. A write under another key is refused.
ALTER TABLE boxes ADD COLUMN box_key_id bytea;
-- A copy of boxes.box_key_id. A change of the key updates it in every entry with a value. A write that was decided
-- before the change then finds another id in the row that it locks.
ALTER TABLE entries ADD COLUMN box_key_id bytea;
-- The id of the key that the version was written with; null if the box had no keyring then.
ALTER TABLE entry_versions ADD COLUMN box_key_id bytea;
