package main

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/tests/pgtest"
)

// operator runs commands of the program. Each test has its own database.
type operator struct {
	t        *testing.T
	database string
}

func newOperator(t *testing.T) operator {
	t.Helper()
	database := pgtest.New(t)
	t.Setenv("LOCKBOX_DATABASE_URL", database)
	t.Setenv("LOCKBOX_SECRET_KEY", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8")
	t.Setenv("LOCKBOX_KDF_MEMORY_KIB", "64")
	t.Setenv("LOCKBOX_LOG_LEVEL", "error")
	return operator{t, database}
}

func (c operator) try(input string, args ...string) (string, error) {
	var out bytes.Buffer
	command := root()
	command.SetArgs(args)
	command.SetIn(strings.NewReader(input))
	command.SetOut(&out)
	command.SetErr(&out)
	err := command.ExecuteContext(context.Background())
	return out.String(), err
}

func (c operator) run(args ...string) string {
	c.t.Helper()
	out, err := c.try("", args...)
	require.NoError(c.t, err, out)
	return out
}

func (c operator) refused(code string, args ...string) {
	c.t.Helper()
	out, err := c.try("", args...)
	require.ErrorContains(c.t, err, code, out)
}

func secretIn(out string) string {
	_, rest, _ := strings.Cut(out, "Secret: ")
	secret, _, _ := strings.Cut(rest, "\n")
	return secret
}

func TestUserCommands(t *testing.T) {
	c := newOperator(t)
	made := c.run("user", "create", "-u", "Root", "-g", "owner")
	require.Regexp(t, `^User Root is created\.\nSecret: [A-Z2-7]{32}\nURI:    otpauth://totp/Lockbox:Root\?`, made)
	require.Contains(t, made, "█")
	c.refused("the system has an owner", "user", "create", "-u", "second", "-g", "owner")
	c.refused("group must be", "user", "create", "-u", "second", "-g", "nonsense")
	c.run("user", "create", "--username", "anna", "--group", "manager")
	c.refused("the system has an owner", "user", "create", "-u", "anna", "-g", "owner", "-r")
	c.refused("must stay an active admin", "user", "create", "-u", "root", "-g", "viewer", "-r")

	again := c.run("user", "create", "-u", "root", "-g", "owner")
	require.Contains(t, again, "User Root exists; all of the user's sessions are revoked.")
	require.Equal(t, secretIn(made), secretIn(again))
	require.NotEqual(t, secretIn(made), secretIn(c.run("user", "create", "-u", "root", "-g", "owner", "-r")))
	require.Equal(t, 2, pgtest.Number(t, c.database, `SELECT session_epoch FROM users WHERE name = 'root'`))
	c.run("user", "create", "-u", "anna", "-g", "viewer", "--recreate")

	list := strings.Split(c.run("user", "list"), "\n")
	require.Regexp(t, `^NAME +GROUP +ROLE +STATE +CREATED$`, list[0])
	require.Regexp(t, `^Root +owner +admin +active +20`, list[1])
	require.Regexp(t, `^anna +viewer +user +active +20`, list[2])

	c.refused("must stay an active admin", "user", "deactivate", "root")
	c.run("user", "deactivate", "anna")
	require.Contains(t, c.run("user", "list"), "inactive")
	c.run("user", "activate", "ANNA")
	c.run("user", "unlock", "anna")
	c.refused("no such user", "user", "unlock", "ghost")
	for _, input := range []string{"a new password\n", "another one", "a third\r\n"} {
		out, err := c.try(input, "user", "passwd", "anna")
		require.NoError(t, err, out)
	}
	_, err := c.try("short\n", "user", "passwd", "anna")
	require.ErrorContains(t, err, "at least 6")
	require.Equal(t, 11, pgtest.Number(t, c.database,
		`SELECT count(*) FROM events WHERE actor_name = '(terminal)' AND outcome = 'success'`))
	require.Equal(t, 0, pgtest.Number(t, c.database, `SELECT count(*) FROM events WHERE actor_name <> '(terminal)'`))
	require.Equal(t, 1, pgtest.Number(t, c.database, `SELECT count(*) FROM events WHERE action = 'system.initialize'`))
}

// TestOwnerFromUser checks that lockbox user create can make an existing user the owner, if there is no owner yet.
func TestOwnerFromUser(t *testing.T) {
	c := newOperator(t)
	c.run("user", "create", "-u", "anna", "-g", "viewer")
	require.Contains(t, c.run("user", "create", "-u", "anna", "-g", "owner"), "User anna exists")
	require.Regexp(t, `anna +viewer +user`, c.run("user", "list"))
	c.run("user", "create", "-u", "anna", "-g", "owner", "-r")
	require.Regexp(t, `anna +owner +admin`, c.run("user", "list"))
}
