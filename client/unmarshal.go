package client

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"time"
)

// Unmarshal fills settings, a pointer, from the entry that LOCKBOX_BOX_NAME and LOCKBOX_ENTRY_KEY name, with a Client that
// FromEnv makes. See [Client.Unmarshal].
func Unmarshal(ctx context.Context, settings any) error {
	c, err := FromEnv()
	if err != nil {
		return err
	}
	defer c.http.CloseIdleConnections() // nobody else has this Client
	return c.Unmarshal(ctx, settings)
}

// Unmarshal fills settings, a pointer, from the entry that Config names. See [Client.UnmarshalEntry].
func (c *Client) Unmarshal(ctx context.Context, settings any) error {
	if c.config.Box == "" || c.config.Entry == "" {
		return invalid("entry_required", "Entry",
			"there is no entry to read: set Box and Entry in Config, or LOCKBOX_BOX_NAME and LOCKBOX_ENTRY_KEY")
	}
	return c.UnmarshalEntry(ctx, c.config.Box, c.config.Entry, settings, nil)
}

// UnmarshalEntry reads an entry into settings, a pointer, by the rules of encoding/json: objects become structs or maps,
// names are matched in any letter case and by the tag `json`, names that the struct does not have are ignored, and fields
// that the entry does not have, or has as null, keep what they held, so that defaults go into the struct first. Use
// [Duration] for "5s" and [Secret] for what must not be printed.
//
// On an error settings are as they were. A value of the wrong type is ErrInvalid (wrong_type), and Field names it as the
// struct does, "Database.Port"; the value itself is not told.
func (c *Client) UnmarshalEntry(ctx context.Context, box, key string, settings any, options *ReadOptions) error {
	target := reflect.ValueOf(settings)
	if target.Kind() != reflect.Pointer || target.IsNil() {
		return invalid("pointer_required", "", "settings must be a pointer that is not nil")
	}
	entry, err := c.ReadEntry(ctx, box, key, options)
	if err != nil {
		return err
	}
	// Once into something that is thrown away, so that a failure half-way leaves nothing behind.
	if err := json.Unmarshal(entry.Value, reflect.New(target.Type().Elem()).Interface()); err != nil {
		return unfit(err)
	}
	if err := json.Unmarshal(entry.Value, settings); err != nil {
		return unfit(err)
	}
	return nil
}

// unfit says what is wrong without the words of encoding/json, which repeat numbers, or of somebody's own
// UnmarshalText, which repeat anything.
func unfit(err error) *Error {
	wrongType, ok := errors.AsType[*json.UnmarshalTypeError](err)
	switch {
	case !ok:
		return invalid("wrong_type", "",
			"the entry does not fit the settings: a field's own UnmarshalJSON or UnmarshalText refused its value")
	case wrongType.Field == "":
		return invalid("wrong_type", "", "the entry is not of the type of the settings, "+wrongType.Type.String())
	default:
		return invalid("wrong_type", wrongType.Field,
			"the entry does not fit the settings: "+wrongType.Field+" is no "+wrongType.Type.String())
	}
}

// Duration is a time.Duration that JSON has as text, "90s" or "1h30m", as time.ParseDuration reads it.
type Duration time.Duration

// UnmarshalText reads the text.
func (d *Duration) UnmarshalText(text []byte) error {
	read, err := time.ParseDuration(string(text))
	if err != nil {
		return errors.New(`client: a duration is not like "90s" or "1h30m"`)
	}
	*d = Duration(read)
	return nil
}

// MarshalText writes the text.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// String returns the text.
func (d Duration) String() string { return time.Duration(d).String() }
