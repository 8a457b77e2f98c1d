#!/bin/sh
# Creates the role and the database of Lockbox when the postgres image initializes an empty volume. The role owns its
# database and has no other rights, so an attacker with its password cannot read files, run programs or load extensions
# on the database's machine. The script removes the superuser's password, so the superuser can connect only inside the
# container.
set -eu

psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres <<'SQL'
\getenv password POSTGRES_PASSWORD
CREATE ROLE lockbox LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD :'password';
CREATE DATABASE lockbox OWNER lockbox;
REVOKE ALL ON DATABASE lockbox FROM PUBLIC;
REVOKE CONNECT ON DATABASE postgres FROM PUBLIC;
ALTER ROLE CURRENT_USER PASSWORD NULL;
SQL
