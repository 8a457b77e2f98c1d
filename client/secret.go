package client

import (
	"fmt"
	"log/slog"
)

const redactedSecret = "[client.Secret]"

// Secret is text that must not be printed, such as a token, a password or a TOTP code. fmt, log, slog and encoding/json
// show "[client.Secret]" instead; [Secret.Reveal] returns the text. Package fmt prints some values by reflection,
// without calling their methods. The text is therefore in a closure, whose content fmt cannot show.
//
// [Unmarshal] fills fields of this type in your settings struct, and logs do not show them. In JSON, a Secret is
// encoded as the placeholder "[client.Secret]". If an entry contained this placeholder, the text of the Secret would be
// lost. [Client.WriteEntry] therefore refuses values that contain the placeholder.
type Secret struct{ text func() string }

// NewSecret returns a Secret that holds text. For the empty text it returns the zero Secret.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{text: func() string { return text }}
}

// Reveal returns the text, or "" for the zero Secret.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return s.text()
}

// IsZero reports whether the Secret is unset.
func (s Secret) IsZero() bool { return s.text == nil }

// String returns "[client.Secret]".
func (s Secret) String() string { return redactedSecret }

// GoString returns "[client.Secret]".
func (s Secret) GoString() string { return redactedSecret }

// Format implements fmt.Formatter. It prints "[client.Secret]" for every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redactedSecret)) }

// LogValue implements slog.LogValuer and returns "[client.Secret]".
func (s Secret) LogValue() slog.Value { return slog.StringValue(redactedSecret) }

// MarshalText implements encoding.TextMarshaler and returns "[client.Secret]". Package encoding/json uses it too.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redactedSecret), nil }

// UnmarshalText implements encoding.TextUnmarshaler; encoding/json uses it to decode a string into a Secret.
func (s *Secret) UnmarshalText(text []byte) error {
	*s = NewSecret(string(text))
	return nil
}
