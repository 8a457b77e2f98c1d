package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/lockbox-go/lockbox/client"
	"github.com/lockbox-go/lockbox/tests/live"
)

// All tests and examples of the package share one server. Each test uses its own boxes and users.
var (
	serverURL  string
	rootKey    client.Secret
	encryption = client.GenerateEncryptionKey()
)

const exampleSettings = `{"listen":":8080","timeout":"5s",` +
	`"database":{"host":"db.example.org","port":5432,"password":"s3cret"}}`

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	server, err := live.Open()
	if err == nil {
		serverURL = server.URL
		err = prepare()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	before := goleak.IgnoreCurrent()
	code := m.Run()
	// Ignore the goroutines of idle connections and of the server's pending writes: they are not leaks.
	err = goleak.Find(before, goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"),
		goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"),
		goleak.IgnoreAnyFunction("net/http.(*conn).serve"),
		goleak.IgnoreAnyFunction("github.com/lockbox-go/lockbox/adapters/postgres.(*keyUses).writeLater"))
	if err := errors.Join(err, server.Stop()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// prepare creates the owner and writes the entry that the examples read. It also sets the environment variables for
// FromEnv.
func prepare() error {
	ctx := context.Background()
	anonymous, err := client.New(client.Config{URL: serverURL, EncryptionKey: encryption})
	if err != nil {
		return err
	}
	rootKey, err = anonymous.Initialize(ctx,
		client.FirstUser{Username: "root", Password: client.NewSecret("root-password")})
	if err != nil {
		return err
	}
	root := anonymous.WithToken(rootKey)
	if err := root.CreateBox(ctx, "prod"); err != nil {
		return err
	}
	if _, err := root.WriteEntry(ctx, "prod", "app", json.RawMessage(exampleSettings), nil); err != nil {
		return err
	}
	for name, value := range map[string]string{"LOCKBOX_API_URL": serverURL, "LOCKBOX_API_KEY": rootKey.Reveal(),
		"LOCKBOX_ENCRYPTION_KEY": encryption.Reveal(), "LOCKBOX_BOX_NAME": "prod", "LOCKBOX_ENTRY_KEY": "app"} {
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	return nil
}

// connect returns a client of the shared server with the owner's key and quick retries. The function change may modify
// the client's config.
func connect(t *testing.T, change func(*client.Config)) *client.Client {
	t.Helper()
	config := client.Config{
		URL:           serverURL,
		Token:         rootKey,
		EncryptionKey: encryption,
		RetryWait:     time.Millisecond,
	}
	if change != nil {
		change(&config)
	}
	c, err := client.New(config)
	require.NoError(t, err)
	return c
}

// boxFor creates a box named after the test. It returns the box and the owner's client.
func boxFor(t *testing.T) (*client.Client, string) {
	t.Helper()
	root, box := connect(t, nil), strings.ToLower(strings.NewReplacer("/", ".", "_", ".").Replace(t.Name()))
	require.NoError(t, root.CreateBox(t.Context(), box))
	t.Cleanup(func() { deleted(t, root.DeleteBox(context.Background(), box)) })
	return root, box
}

// userFor creates a user and returns a client with the API key of this user.
func userFor(t *testing.T, name string) *client.Client {
	t.Helper()
	root := connect(t, nil)
	key, err := root.CreateUser(t.Context(),
		client.NewUser{Username: name, Password: client.NewSecret(name + "-password")})
	require.NoError(t, err)
	t.Cleanup(func() { deleted(t, root.DeleteUser(context.Background(), name)) })
	return root.WithToken(key)
}

// deleted verifies that the deletion of an object in a cleanup succeeded. It ignores ErrNotFound, because the test
// itself may have deleted the object.
func deleted(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, client.ErrNotFound) {
		assert.NoError(t, err)
	}
}

// failure returns the *client.Error in err.
func failure(t *testing.T, err error) *client.Error {
	t.Helper()
	var failed *client.Error
	require.ErrorAs(t, err, &failed)
	return failed
}
