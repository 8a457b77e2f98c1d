package client

import (
	"fmt"
	"log/slog"
)

const redactedSecret = "[client.Secret]"

// Secret is text that must not be printed: a token, a password, a one-time code. fmt, log, slog and encoding/json show
// "[client.Secret]" in its place; [Secret.Reveal] returns the text. The text is held by a function, which fmt cannot look
// into where it does not ask the methods.
//
// A field of this type in your own settings struct is filled by [Unmarshal] and stays out of your logs. Since writing it
// as JSON gives the words above, [Client.WriteEntry] refuses a value that holds them.
type Secret struct{ text func() string }

// NewSecret wraps text. The empty text is the zero Secret.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{text: func() string { return text }}
}

// Reveal returns the text, "" of the zero Secret.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return s.text()
}

// IsZero reports whether there is no text.
func (s Secret) IsZero() bool { return s.text == nil }

// String returns "[client.Secret]".
func (s Secret) String() string { return redactedSecret }

// GoString returns "[client.Secret]".
func (s Secret) GoString() string { return redactedSecret }

// Format writes "[client.Secret]" whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redactedSecret)) }

// LogValue writes "[client.Secret]" into the log.
func (s Secret) LogValue() slog.Value { return slog.StringValue(redactedSecret) }

// MarshalText writes "[client.Secret]" into JSON and any other encoding of text.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redactedSecret), nil }

// UnmarshalText takes the text, which is how encoding/json fills a Secret from a string.
func (s *Secret) UnmarshalText(text []byte) error {
	*s = NewSecret(string(text))
	return nil
}
