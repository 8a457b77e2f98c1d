package koanf_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/knadh/koanf/v2"
	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/client"
	lockbox "github.com/lockbox-go/lockbox/client/koanf"
)

// root is a client of the real server with the owner's key. All tests share the server.
var root *client.Client

func TestMain(m *testing.M) { os.Exit(run(m)) }

// run starts the server in a separate process. If the tests imported the packages of the server, this module would
// depend on the server's libraries.
func run(m *testing.M) int {
	server := exec.Command("go", "run", "./tests/live/serve")
	server.Dir, server.Stderr = "../..", os.Stderr
	end, err := server.StdinPipe()
	if err != nil {
		return fail(err)
	}
	out, err := server.StdoutPipe()
	if err != nil {
		return fail(err)
	}
	if err := server.Start(); err != nil {
		return fail(err)
	}
	url, err := bufio.NewReader(out).ReadString('\n')
	if err == nil {
		err = prepare(strings.TrimSpace(url))
	}
	code := 1
	if err == nil {
		code = m.Run()
	}
	if err := errors.Join(err, end.Close(), server.Wait()); err != nil {
		return fail(err)
	}
	return code
}

func fail(err error) int {
	fmt.Fprintln(os.Stderr, err)
	return 1
}

func prepare(url string) error {
	ctx := context.Background()
	anonymous, err := client.New(client.Config{URL: url, EncryptionKey: client.GenerateEncryptionKey(),
		RetryWait: time.Millisecond})
	if err != nil {
		return err
	}
	key, err := anonymous.Initialize(ctx, client.FirstUser{Username: "root", Password: client.NewSecret("password")})
	if err != nil {
		return err
	}
	root = anonymous.WithToken(key)
	if err := root.CreateBox(ctx, "prod"); err != nil {
		return err
	}
	return writeEntry("app", `{"database":{"host":"db.example.org","port":5432,"id":9007199254740993},`+
		`"ratio":0.5,"list":[1,"a"]}`)
}

func writeEntry(key, value string) error {
	_, err := root.WriteEntry(context.Background(), "prod", key, json.RawMessage(value), nil)
	return err
}

func ExampleProvider() {
	k := koanf.New(".")
	if err := k.Load(lockbox.Provider(context.Background(), root, "prod", "app"), nil); err != nil {
		log.Fatal(err)
	}
	fmt.Println(k.String("database.host"), k.Int("database.port"))
	// Output: db.example.org 5432
}

func TestLoad(t *testing.T) {
	t.Parallel()
	k := koanf.New(".")
	require.NoError(t, k.Load(lockbox.Provider(t.Context(), root, "prod", "app"), nil))
	require.EqualValues(t, 9007199254740993, k.Int64("database.id"), "no digits are lost")
	require.InDelta(t, 0.5, k.Float64("ratio"), 0)
	require.Equal(t, []any{int64(1), "a"}, k.Get("list"))
	var settings struct {
		Database struct {
			Host string
			Port int
		}
	}
	require.NoError(t, k.Unmarshal("", &settings))
	require.Equal(t, 5432, settings.Database.Port)
}

func TestLoadInvalidEntries(t *testing.T) {
	t.Parallel()
	for key, value := range map[string]string{"text": `"canary-3f9b"`, "list": `["canary-3f9b"]`,
		"huge": `{"canary":[1e999]}`} {
		require.NoError(t, writeEntry(key, value))
		err := koanf.New(".").Load(lockbox.Provider(t.Context(), root, "prod", key), nil)
		require.Error(t, err)
		require.NotRegexp(t, "canary-3f9b|e999", err.Error())
	}
	require.ErrorIs(t, koanf.New(".").Load(lockbox.Provider(t.Context(), root, "prod", "none"), nil),
		client.ErrNotFound)
	require.ErrorIs(t, koanf.New(".").Load(lockbox.Provider(t.Context(),
		root.WithEncryptionKey(client.GenerateEncryptionKey()), "prod", "app"), nil),
		client.ErrEncryptionKeyMismatch)
}

// TestLoadAgain checks that a provider caches nothing.
func TestLoadAgain(t *testing.T) {
	t.Parallel()
	require.NoError(t, writeEntry("changing", `{"a":1}`))
	provider, k := lockbox.Provider(t.Context(), root, "prod", "changing"), koanf.New(".")
	require.NoError(t, k.Load(provider, nil))
	require.NoError(t, writeEntry("changing", `{"a":2}`))
	require.NoError(t, k.Load(provider, nil))
	require.Equal(t, 2, k.Int("a"))
}
