// Package koanf feeds koanf, the library for settings, with an entry of Lockbox:
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

// Entry is one entry of a box, as koanf.Load takes it.
type Entry struct {
	ctx      context.Context // Load has none of its own
	client   *client.Client
	box, key string
}

// Provider returns the entry for koanf.Load. Each Load reads it anew, within ctx, under the Client's encryption key. Give
// Load no parser: the entry is JSON, and it must be an object.
func Provider(ctx context.Context, c *client.Client, box, key string) *Entry {
	return &Entry{
		ctx:    ctx,
		client: c,
		box:    box,
		key:    key,
	}
}

// ReadBytes returns the JSON of the entry, for a Load with koanf's own parser of JSON.
func (e *Entry) ReadBytes() ([]byte, error) {
	entry, err := e.client.ReadEntry(e.ctx, e.box, e.key, nil)
	if err != nil {
		return nil, err
	}
	return entry.Value, nil
}

// Read returns the entry as nested maps. Whole numbers are int64, where koanf's parser would make them float64 and lose
// digits of long ones. The error does not repeat the value.
func (e *Entry) Read() (map[string]any, error) {
	text, err := e.ReadBytes()
	if err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var tree map[string]any
	if decoder.Decode(&tree) != nil || tree == nil {
		return nil, errors.New("koanf: the entry is not a JSON object, and settings need names")
	}
	plain, err := numbers(tree)
	if err != nil {
		return nil, err
	}
	return plain.(map[string]any), nil
}

// numbers replaces each json.Number in a tree by an int64 or a float64.
func numbers(value any) (any, error) {
	switch value := value.(type) {
	case map[string]any:
		for name, inner := range value {
			plain, err := numbers(inner)
			if err != nil {
				return nil, fmt.Errorf("%w, in %s", err, name)
			}
			value[name] = plain
		}
	case []any:
		for i, inner := range value {
			plain, err := numbers(inner)
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
			return nil, errors.New("koanf: a number is too large")
		}
		return fraction, nil
	}
	return value, nil
}
