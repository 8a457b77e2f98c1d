-- The program creates identifiers (UUID version 7) and times. Names and keys are stored in lower case and compared byte
-- by byte (COLLATE "C"): every installation sorts them in the same way, and a prefix search can use the index.

-- One row with the identity and the owner of the installation. Every change that must be serialised with changes to
-- admins and to the owner increments its revision.
CREATE TABLE system (
    id              smallint PRIMARY KEY CHECK (id = 1),
    installation_id uuid NOT NULL,
    owner_id        uuid,
    revision        bigint NOT NULL DEFAULT 0,
    created_at      timestamptz NOT NULL
);

-- The key ring: random keys, wrapped under a secret that is not in the database.
CREATE TABLE server_keys (
    id         uuid PRIMARY KEY,
    purpose    text NOT NULL,
    generation integer NOT NULL,
    wrapped    bytea NOT NULL,
    created_at timestamptz NOT NULL,
    retired_at timestamptz,
    UNIQUE (purpose, generation)
);

CREATE TABLE users (
    id              uuid PRIMARY KEY,
    name            text COLLATE "C" NOT NULL UNIQUE,
    role            text NOT NULL,
    is_active       boolean NOT NULL,
    session_epoch   bigint NOT NULL DEFAULT 0,
    password        bytea, -- a PHC string, sealed under the account key
    password_key_id uuid,
    revision        bigint NOT NULL DEFAULT 0,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL
);

ALTER TABLE system ADD FOREIGN KEY (owner_id) REFERENCES users (id);

CREATE TABLE api_keys (
    id           uuid PRIMARY KEY,
    user_id      uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name         text NOT NULL,
    key_id       uuid NOT NULL,
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz,
    last_used_at timestamptz
);
CREATE INDEX api_keys_user ON api_keys (user_id);
CREATE INDEX api_keys_expiry ON api_keys (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE sessions (
    id         uuid PRIMARY KEY,
    user_id    uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    key_id     uuid NOT NULL,
    epoch      bigint NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX sessions_user ON sessions (user_id);
CREATE INDEX sessions_expiry ON sessions (expires_at);

CREATE TABLE boxes (
    id          uuid PRIMARY KEY,
    name        text COLLATE "C" NOT NULL UNIQUE,
    owner_id    uuid NOT NULL REFERENCES users (id),
    kdf_salt    bytea NOT NULL CHECK (length(kdf_salt) = 16),
    entry_count bigint NOT NULL DEFAULT 0 CHECK (entry_count >= 0),
    revision    bigint NOT NULL DEFAULT 0,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL
);
CREATE INDEX boxes_owner ON boxes (owner_id);

CREATE TABLE box_users (
    box_id      uuid NOT NULL REFERENCES boxes (id) ON DELETE CASCADE,
    user_id     uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    role        text NOT NULL,
    is_active   boolean NOT NULL,
    permissions smallint NOT NULL,
    PRIMARY KEY (box_id, user_id)
);
CREATE INDEX box_users_user ON box_users (user_id);

-- The row of a deleted entry stays, so that its version numbers never restart.
CREATE TABLE entries (
    box_id     uuid NOT NULL REFERENCES boxes (id) ON DELETE CASCADE,
    key        text COLLATE "C" NOT NULL,
    version    bigint NOT NULL,
    deleted_at timestamptz,
    swept      boolean NOT NULL DEFAULT false, -- deleted long ago: its versions were removed
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (box_id, key)
);
-- For listing the keys of a box: it contains no deleted entries, and no column that a new version changes.
CREATE INDEX entries_live ON entries (box_id, key) WHERE deleted_at IS NULL;
CREATE INDEX entries_deleted ON entries (deleted_at) WHERE deleted_at IS NOT NULL AND NOT swept;

CREATE TABLE entry_versions (
    box_id     uuid NOT NULL,
    key        text COLLATE "C" NOT NULL,
    version    bigint NOT NULL,
    sealed_as  bigint NOT NULL, -- the version that is authenticated in the value; differs after a restore
    key_id     uuid NOT NULL,   -- the server key of the outer layer
    envelope   bytea NOT NULL,
    value      bytea NOT NULL,
    author_id  uuid REFERENCES users (id) ON DELETE SET NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (box_id, key, version),
    FOREIGN KEY (box_id, key) REFERENCES entries (box_id, key) ON DELETE CASCADE
);
-- Ciphertext cannot be compressed.
ALTER TABLE entry_versions ALTER COLUMN value SET STORAGE EXTERNAL;
ALTER TABLE entry_versions ALTER COLUMN envelope SET STORAGE PLAIN;
-- For deleting a user: ON DELETE SET NULL looks up the versions of the author.
CREATE INDEX entry_versions_author ON entry_versions (author_id);

-- The audit log. Events outlive the rows they mention, so there are no foreign keys, and names are stored with the ids.
CREATE TABLE events (
    id            uuid PRIMARY KEY,
    at            timestamptz NOT NULL,
    action        text NOT NULL,
    outcome       text NOT NULL,
    actor_id      uuid,
    actor_name    text COLLATE "C" NOT NULL,
    credential_id uuid,
    box_id        uuid,
    box_name      text COLLATE "C" NOT NULL,
    entry_key     text COLLATE "C" NOT NULL,
    target        text COLLATE "C" NOT NULL,
    request_id    text NOT NULL,
    address       text NOT NULL
);
CREATE INDEX events_box ON events (box_id, id) WHERE box_id IS NOT NULL;
