-- What is known of a droplet apart from its host, from before the host is asked to make it until it is gone. A making, or a
-- removal, that was cut off is found here. The private key itself lies in its box alone.
CREATE TABLE droplets (
    id            uuid PRIMARY KEY,
    name          text COLLATE "C" NOT NULL DEFAULT '',
    container_id  text COLLATE "C" NOT NULL DEFAULT '', -- empty until the droplet is whole
    box_id        uuid REFERENCES boxes (id) ON DELETE SET NULL,
    entry_key     text COLLATE "C" NOT NULL DEFAULT '',
    entry_version bigint NOT NULL DEFAULT 0, -- as it was written; 0 when it was not
    busy_until    timestamptz,               -- null when it is whole
    abandoned     boolean NOT NULL DEFAULT false,
    created_at    timestamptz NOT NULL
);
CREATE INDEX droplets_box ON droplets (box_id) WHERE box_id IS NOT NULL;
