DROP TABLE events, entry_versions, entries, box_users, boxes, sessions, api_keys, system, users, server_keys;
