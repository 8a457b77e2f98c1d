-- The name as it was given at creation; null where that was not kept.
ALTER TABLE users ADD COLUMN spelling text;
-- viewer or manager; null is none. Who is the owner, the system's row says.
ALTER TABLE users ADD COLUMN group_name text;
CREATE INDEX users_age ON users (created_at, id);

-- The secret of a user's one-time codes; beside the one in force there may be a pending one, which its user has not
-- confirmed yet.
CREATE TABLE one_time_codes (
    id           uuid PRIMARY KEY,
    user_id      uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    pending      boolean NOT NULL,
    key_id       uuid NOT NULL,  -- the account key that it is sealed under
    secret       bytea NOT NULL,
    own          boolean NOT NULL, -- enrolled by its user: nobody is shown it again
    confirmed_at timestamptz,    -- when the first code was accepted
    last_step    bigint NOT NULL DEFAULT 0, -- of the last code that was accepted; codes up to it are spent
    created_at   timestamptz NOT NULL,
    UNIQUE (user_id, pending)
);

-- What signs in once each where the phone is lost; random enough that a plain hash keeps them.
CREATE TABLE recovery_codes (
    code_id uuid NOT NULL REFERENCES one_time_codes (id) ON DELETE CASCADE,
    hash    bytea NOT NULL,
    PRIMARY KEY (code_id, hash)
);

-- A sign-in whose tokens are opaque: one family of pairs, of which the newest is good.
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

-- A spent pair stays as long as its family, so that its use is noticed.
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

-- Wrong credentials, counted under keyed digests: neither names nor addresses can be read here.
CREATE TABLE throttle (
    key           bytea PRIMARY KEY,
    account       bytea, -- whose count it is, to let somebody in again; null for what belongs to no account
    failures      integer NOT NULL DEFAULT 0,
    last_at       timestamptz,
    blocked_until timestamptz,
    reported      boolean NOT NULL DEFAULT false
);
CREATE INDEX throttle_account ON throttle (account) WHERE account IS NOT NULL;
CREATE INDEX throttle_age ON throttle (last_at);

-- From where somebody signed in lately.
CREATE TABLE known_addresses (
    key        bytea PRIMARY KEY,
    expires_at timestamptz NOT NULL
);
CREATE INDEX known_addresses_expiry ON known_addresses (expires_at);
