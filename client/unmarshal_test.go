package client_test

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/client"
)

type settings struct {
	Listen   string          `json:"listen"`
	Timeout  client.Duration `json:"timeout"`
	Database struct {
		Host     string
		Port     int
		Password client.Secret
	}
	Replicas int
	Extra    map[string]any
}

func TestUnmarshal(t *testing.T) {
	t.Parallel()
	c := connect(t, func(config *client.Config) { config.Box, config.Entry = "prod", "app" })
	got := settings{Replicas: 3}
	require.NoError(t, c.Unmarshal(t.Context(), &got))
	require.Equal(t, []any{":8080", 5 * time.Second, "db.example.org", 5432, "s3cret", 3},
		[]any{got.Listen, time.Duration(got.Timeout),
			got.Database.Host, got.Database.Port, got.Database.Password.Reveal(), got.Replicas})
	var tree map[string]any
	require.NoError(t, c.Unmarshal(t.Context(), &tree))
	require.Len(t, tree, 3)
}

// The type named own has an UnmarshalText method that returns an error with the value in its text. A careless program
// could declare such a type.
type own string

func (o *own) UnmarshalText(text []byte) error {
	_, err := url.Parse("%zz" + string(text))
	*o = own(text)
	return err
}

func TestUnmarshalWrongTypes(t *testing.T) {
	t.Parallel()
	c, box := boxFor(t)
	for _, test := range []struct {
		value, field string
		into         any
	}{
		{`{"listen":":1","database":{"port":"canary-3f9b"}}`, "Database.Port", &settings{}},
		{`{"listen":":1","database":{"port":70000000000000000001}}`, "Database.Port", &settings{}},
		{`{"listen":":1","replicas":1.5}`, "Replicas", &settings{}},
		{`{"listen":":1","timeout":"canary-3f9b"}`, "", &settings{}},
		{`{"a":"canary-3f9b"}`, "", &map[string]own{}},
		{`["canary-3f9b"]`, "", &settings{}},
		{`"canary-3f9b"`, "", new(int)},
	} {
		_, err := c.WriteEntry(t.Context(), box, "key", json.RawMessage(test.value), nil)
		require.NoError(t, err)
		err = c.UnmarshalEntry(t.Context(), box, "key", test.into, nil)
		require.ErrorIs(t, err, client.ErrInvalid, test.value)
		require.Equal(t, "wrong_type", failure(t, err).Code, test.value)
		// Compare in lower case: before Go 1.27, an error of encoding/json spells the name of a field as the struct
		// does. Since Go 1.27, it spells the name as the entry does.
		require.Equal(t, strings.ToLower(test.field), strings.ToLower(failure(t, err).Field), test.value)
		require.NotRegexp(t, canary+"|7000000|1\\.5", err.Error())
		if filled, ok := test.into.(*settings); ok {
			require.Equal(t, settings{}, *filled, "settings is unchanged")
		}
	}
	for _, into := range []any{nil, settings{}, (*settings)(nil)} {
		require.ErrorIs(t, c.UnmarshalEntry(t.Context(), box, "key", into, nil), client.ErrInvalid)
	}
	require.ErrorIs(t, c.UnmarshalEntry(t.Context(), box, "other", &settings{}, nil), client.ErrNotFound)
	require.ErrorIs(t, c.UnmarshalEntry(t.Context(), box, "key", &settings{},
		&client.ReadOptions{EncryptionKey: client.GenerateEncryptionKey()}), client.ErrEncryptionKeyMismatch)
}
