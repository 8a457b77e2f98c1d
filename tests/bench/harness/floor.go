package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/jackc/pgx/v5"
)

// The floor is the work of PostgreSQL for a single request: one prepared statement and its commit, without Lockbox
// between the client and PostgreSQL. The floor's tables have the columns and indexes of the real tables, without
// foreign keys. They contain copies of the real rows, so the floor reads and writes the same bytes. Two differences
// make the floor faster: identifiers come from a sequence instead of random numbers, and the written value is a
// constant in the prepared statement instead of data that the client sends. Lockbox has an advantage too: it batches
// concurrent requests into shared statements and commits, which the floor does not do.
const floorTables = `
CREATE SCHEMA floor;
CREATE TABLE floor.entries (LIKE public.entries INCLUDING ALL);
CREATE TABLE floor.entry_versions (LIKE public.entry_versions INCLUDING ALL);
CREATE TABLE floor.events (LIKE public.events INCLUDING ALL);
ALTER TABLE floor.events ALTER COLUMN id TYPE bigint USING 0, ALTER COLUMN id
	ADD GENERATED ALWAYS AS IDENTITY (CACHE 100);
INSERT INTO floor.entries SELECT * FROM public.entries WHERE box_id IN (SELECT id FROM public.boxes
	WHERE name LIKE 'box-%');
INSERT INTO floor.entry_versions SELECT * FROM public.entry_versions WHERE box_id IN (SELECT id FROM public.boxes
	WHERE name LIKE 'box-%');`

const floorEvent = `INSERT INTO floor.events (at, action, outcome, actor_id, actor_name, credential_id, box_id,
	box_name, entry_key, target, request_id, address)
	VALUES (now(), '%[1]s', 'success', '%[3]s', 'user-17', '%[3]s', %[2]s, 'box-1', 'entry-0000017', '', '%[3]s',
		'127.0.0.1')`

// floorDraw selects an entry of any box at random.
const floorDraw = `\set entry random(0, %[4]d)
\set box random(1, %[5]d)
`

const floorRead = floorDraw + `WITH noted AS (` + floorEvent + `)
SELECT envelope, value FROM floor.entry_versions WHERE box_id = %[2]s AND key = 'entry-' || lpad(:entry::text, 7, '0')
	AND version = 1;
`

const floorWrite = floorDraw + `WITH moved AS (UPDATE floor.entries SET version = version + 1, updated_at = now()
	WHERE box_id = %[2]s AND key = 'entry-' || lpad(:entry::text, 7, '0') RETURNING box_id, key, version),
noted AS (` + floorEvent + `)
INSERT INTO floor.entry_versions (box_id, key, version, sealed_as, key_id, envelope, value, author_id, created_at)
	SELECT box_id, key, version, version, '%[3]s', '\x%[6]x', '\x%[7]x', '%[3]s', now() FROM moved;
`

// floorScripts maps scenarios to pgbench script files.
type floorScripts map[string]string

// makeFloor creates the floor's tables in the target's database, after the target has been filled. It returns the
// scripts.
func (b *bench) makeFloor(ctx context.Context, t *target) (floorScripts, error) {
	statements := strings.Split(strings.TrimSpace(floorTables), ";\n")
	if err := b.cluster.execute(ctx, t.database, statements...); err != nil {
		return nil, err
	}
	if err := b.cluster.settle(ctx, t.database); err != nil {
		return nil, err
	}
	conn, err := pgx.Connect(ctx, t.database)
	if err != nil {
		return nil, err
	}
	defer conn.Close(ctx)
	var boxes []string
	var envelope, value []byte
	err = conn.QueryRow(ctx, `SELECT array_agg(DISTINCT box_id::text), min(envelope::text)::bytea,
		min(value::text)::bytea
		FROM floor.entry_versions`).Scan(&boxes, &envelope, &value)
	if err != nil {
		return nil, err
	}
	scripts := make(floorScripts)
	for name, text := range map[string]string{"read": floorRead, "write": floorWrite} {
		scripts[name] = filepath.Join(b.folder, "floor-"+name+".sql")
		box := "('{" + strings.Join(boxes, ",") + "}'::uuid[])[:box]"
		script := fmt.Sprintf(text, "entry."+name, box, boxes[0], b.size.Entries-1, len(boxes), envelope, value)
		if err := os.WriteFile(scripts[name], []byte(script), 0o600); err != nil {
			return nil, err
		}
	}
	return scripts, nil
}
