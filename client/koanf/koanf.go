// Package koanf provides a Lockbox entry as a source of settings for the koanf library:
//
//	import (
//		"github.com/knadh/koanf/v2"
//		lockbox "github.com/lockbox-go/lockbox/client/koanf"
//	)
//
//	c, err := client.FromEnv()
//	…
//	k := koanf.New(".")
//	err = k.Load(lockbox.Provider(ctx, c, "prod", "app"), nil)
//	password := k.String("database.password")
package koanf

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/lockbox-go/lockbox/client"
)

// Entry is a koanf.Provider for one entry of a box. It caches nothing: every Load reads the entry from the server.
type Entry struct {
	ctx      context.Context // koanf.Load accepts no context
	client   *client.Client
	box, key string
}

// Provider returns an Entry for koanf.Load. Every Load reads the entry through the client c, with its encryption key or
// the key of the box's keyring. The context ctx applies to every Load. The entry must be a JSON object. Pass a nil
// parser to Load.
func Provider(ctx context.Context, c *client.Client, box, key string) *Entry {
	return &Entry{
		ctx:    ctx,
		client: c,
		box:    box,
		key:    key,
	}
}

// ReadBytes returns the JSON of the entry. koanf calls ReadBytes if the caller passes a parser to Load. ReadBytes
// returns the same errors as client.ReadEntry.
func (e *Entry) ReadBytes() ([]byte, error) {
	entry, err := e.client.ReadEntry(e.ctx, e.box, e.key, nil)
	if err != nil {
		return nil, err
	}
	return entry.Value, nil
}

// Read returns the entry as nested maps. koanf calls Read if Load gets no parser. Whole numbers become int64. The JSON
// parser of koanf converts them to float64, which loses digits. Read returns the errors of client.ReadEntry, and an
// error for an entry that is not a JSON object. No error repeats the value.
func (e *Entry) Read() (map[string]any, error) {
	text, err := e.ReadBytes()
	if err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var tree map[string]any
	if decoder.Decode(&tree) != nil || tree == nil {
		return nil, errors.New("koanf: the entry must be a JSON object")
	}
	plain, err := convertNumbers(tree)
	if err != nil {
		return nil, err
	}
	return plain.(map[string]any), nil
}

// convertNumbers replaces each json.Number in a tree. A whole number becomes an int64, and any other number becomes a
// float64.
func convertNumbers(value any) (any, error) {
	switch value := value.(type) {
	case map[string]any:
		for name, inner := range value {
			plain, err := convertNumbers(inner)
			if err != nil {
				return nil, fmt.Errorf("%w, in %s", err, name)
			}
			value[name] = plain
		}
	case []any:
		for i, inner := range value {
			plain, err := convertNumbers(inner)
			if err != nil {
				return nil, err
			}
			value[i] = plain
		}
	case json.Number:
		if whole, err := value.Int64(); err == nil {
			return whole, nil
		}
		fraction, err := value.Float64()
		if err != nil {
			return nil, errors.New("koanf: a number does not fit into a float64")
		}
		return fraction, nil
	}
	return value, nil
}
