DROP TABLE known_addresses, throttle, token_pairs, token_families, recovery_codes, one_time_codes;
DROP INDEX users_age;
ALTER TABLE users DROP COLUMN group_name, DROP COLUMN spelling;
