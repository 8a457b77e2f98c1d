-- Open invitations: each lets its holder create the user of that name. The code is not stored.
CREATE TABLE invitations (
    id         uuid PRIMARY KEY,
    name       text COLLATE "C" NOT NULL UNIQUE,
    spelling   text NOT NULL,
    role       text NOT NULL,
    inviter_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    proof      bytea NOT NULL, -- keyed digest of the code and of the other columns
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX invitations_inviter ON invitations (inviter_id);
CREATE INDEX invitations_expiry ON invitations (expires_at);
