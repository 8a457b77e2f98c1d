package client

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"time"
)

// Unmarshal decodes the entry named by LOCKBOX_BOX_NAME and LOCKBOX_ENTRY_KEY into settings, which must be a non-nil
// pointer. It uses a Client from [FromEnv] and closes its connections afterwards. See [Client.UnmarshalEntry].
func Unmarshal(ctx context.Context, settings any) error {
	c, err := FromEnv()
	if err != nil {
		return err
	}
	defer c.http.CloseIdleConnections() // c is not shared
	return c.Unmarshal(ctx, settings)
}

// Unmarshal decodes the entry named by Config.Box and Config.Entry into settings, which must be a non-nil pointer. See
// [Client.UnmarshalEntry].
func (c *Client) Unmarshal(ctx context.Context, settings any) error {
	if c.config.Box == "" || c.config.Entry == "" {
		return invalid("entry_required", "Entry",
			"no entry is configured: set Box and Entry in Config, "+
				"or set the variables LOCKBOX_BOX_NAME and LOCKBOX_ENTRY_KEY")
	}
	return c.UnmarshalEntry(ctx, c.config.Box, c.config.Entry, settings, nil)
}

// UnmarshalEntry reads an entry and decodes it into settings, which must be a non-nil pointer. It follows the rules of
// encoding/json: json tags apply, names match in any letter case, and names that match no field are ignored. If a field
// is absent or null in the entry, the field in settings keeps its value. To set defaults, assign them to settings
// before the call. Use [Duration] for values such as "5s" and [Secret] for values that must not be printed.
//
// On an error, settings is unchanged. If a value has the wrong type, the error is ErrInvalid (wrong_type). Error.Field
// then names the field of settings, such as "Database.Port". Before Go 1.27, the name is spelled as in the struct;
// since Go 1.27, it is spelled as in the entry. The error does not repeat the value.
func (c *Client) UnmarshalEntry(ctx context.Context, box, key string, settings any, options *ReadOptions) error {
	target := reflect.ValueOf(settings)
	if target.Kind() != reflect.Pointer || target.IsNil() {
		return invalid("pointer_required", "", "settings must be a non-nil pointer")
	}
	entry, err := c.ReadEntry(ctx, box, key, options)
	if err != nil {
		return err
	}
	// Decode into a scratch value first: an error in the middle must not leave settings half filled.
	if err := json.Unmarshal(entry.Value, reflect.New(target.Type().Elem()).Interface()); err != nil {
		return wrongType(err)
	}
	if err := json.Unmarshal(entry.Value, settings); err != nil {
		return wrongType(err)
	}
	return nil
}

// wrongType returns the error for a value that cannot be decoded. It omits the text of err, because this text can
// contain the value: encoding/json repeats numbers, and a custom UnmarshalText can repeat anything.
func wrongType(err error) *Error {
	mismatch, ok := errors.AsType[*json.UnmarshalTypeError](err)
	switch {
	case !ok:
		return invalid("wrong_type", "",
			"the entry cannot be decoded: UnmarshalJSON or UnmarshalText of a field's type refused the value")
	case mismatch.Field == "":
		return invalid("wrong_type", "", "the entry cannot be decoded into "+mismatch.Type.String())
	default:
		return invalid("wrong_type", mismatch.Field,
			"the entry cannot be decoded: "+mismatch.Field+" must be of type "+mismatch.Type.String())
	}
}

// Duration is a time.Duration whose JSON form is a string, such as "90s" or "1h30m". The string has the format of
// time.ParseDuration.
type Duration time.Duration

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(text []byte) error {
	read, err := time.ParseDuration(string(text))
	if err != nil {
		return errors.New(`client: a duration must have the form "90s" or "1h30m"`)
	}
	*d = Duration(read)
	return nil
}

// MarshalText implements encoding.TextMarshaler.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// String returns the duration in the format of time.Duration.String.
func (d Duration) String() string { return time.Duration(d).String() }
