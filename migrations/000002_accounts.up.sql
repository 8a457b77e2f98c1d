-- The name as it was written at creation; null for users created before this migration.
ALTER TABLE users ADD COLUMN spelling text;
-- viewer or manager; null for none. The owner is in the system row.
ALTER TABLE users ADD COLUMN group_name text;
CREATE INDEX users_age ON users (created_at, id);

-- The secret of a user's TOTP codes. A user has at most one secret in force, and one pending secret that is not yet
-- confirmed.
CREATE TABLE one_time_codes (
    id           uuid PRIMARY KEY,
    user_id      uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    pending      boolean NOT NULL,
    key_id       uuid NOT NULL,  -- the account key that seals it
    secret       bytea NOT NULL,
    own          boolean NOT NULL, -- enrolled by its user: never shown again
    confirmed_at timestamptz,    -- when the first code was accepted
    last_step    bigint NOT NULL DEFAULT 0, -- of the last accepted code; codes up to it are spent
    created_at   timestamptz NOT NULL,
    UNIQUE (user_id, pending)
);

-- Recovery codes, each accepted once. They have enough random bits for a plain hash.
CREATE TABLE recovery_codes (
    code_id uuid NOT NULL REFERENCES one_time_codes (id) ON DELETE CASCADE,
    hash    bytea NOT NULL,
    PRIMARY KEY (code_id, hash)
);

-- A sign-in with opaque tokens: a family of token pairs, of which only the newest is valid.
CREATE TABLE token_families (
    id         uuid PRIMARY KEY,
    user_id    uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    epoch      bigint NOT NULL,
    revision   bigint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz
);
CREATE INDEX token_families_user ON token_families (user_id);
CREATE INDEX token_families_expiry ON token_families (expires_at);
CREATE INDEX token_families_revoked ON token_families (revoked_at) WHERE revoked_at IS NOT NULL;

-- A spent pair stays as long as its family, so that a reuse of its refresh token is detected.
CREATE TABLE token_pairs (
    id                uuid PRIMARY KEY,
    family_id         uuid NOT NULL REFERENCES token_families (id) ON DELETE CASCADE,
    access_hash       bytea NOT NULL UNIQUE,
    refresh_hash      bytea NOT NULL UNIQUE,
    access_expires_at timestamptz NOT NULL,
    created_at        timestamptz NOT NULL,
    spent_at          timestamptz
);
CREATE INDEX token_pairs_family ON token_pairs (family_id);

-- Failed attempts, counted under keyed digests: neither names nor addresses can be read from this table.
CREATE TABLE throttle (
    key           bytea PRIMARY KEY,
    account       bytea, -- the account that the count belongs to, for unlocking it; null for none
    failures      integer NOT NULL DEFAULT 0,
    last_at       timestamptz,
    blocked_until timestamptz,
    reported      boolean NOT NULL DEFAULT false
);
CREATE INDEX throttle_account ON throttle (account) WHERE account IS NOT NULL;
CREATE INDEX throttle_age ON throttle (last_at);

-- Keyed digests of an account and an address from which it signed in recently.
CREATE TABLE known_addresses (
    key        bytea PRIMARY KEY,
    expires_at timestamptz NOT NULL
);
CREATE INDEX known_addresses_expiry ON known_addresses (expires_at);
