-- A record for each droplet, from before its creation on the host until after its removal, so that an interrupted
-- creation or removal can be found. The private key is stored in its box only.
CREATE TABLE droplets (
    id            uuid PRIMARY KEY,
    name          text COLLATE "C" NOT NULL DEFAULT '',
    container_id  text COLLATE "C" NOT NULL DEFAULT '', -- empty until the droplet is complete
    box_id        uuid REFERENCES boxes (id) ON DELETE SET NULL,
    entry_key     text COLLATE "C" NOT NULL DEFAULT '',
    entry_version bigint NOT NULL DEFAULT 0, -- the version of the private key; 0 if it was not written
    busy_until    timestamptz,               -- null when the droplet is complete
    abandoned     boolean NOT NULL DEFAULT false,
    created_at    timestamptz NOT NULL
);
CREATE INDEX droplets_box ON droplets (box_id) WHERE box_id IS NOT NULL;
