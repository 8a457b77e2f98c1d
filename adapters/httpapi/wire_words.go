package httpapi

import (
	"strings"

	"github.com/lockbox-go/lockbox/domain"
)

// wireFields maps the field names of domain errors to the names of the headers in which clients send these fields.
var wireFields = map[string]string{domain.FieldEncryptionKey: headerEncryptionKey}

// wireMessages replaces messages of domain errors with messages that name a header or a setting. The domain knows
// neither headers nor settings.
var wireMessages = []struct {
	of      *domain.Error
	message string
}{
	{domain.ErrEncryptionKeyRequired,
		"the header X-Encryption-Key is missing or empty: send the key that the entry is encrypted with"},
	{domain.ErrKeyMismatch, "the key in X-Encryption-Key is not the key that the entry is encrypted with"},
	{domain.ErrPrecondition,
		"the entry's version does not satisfy If-Match or If-None-Match: read the entry and try again"},
	{domain.ErrNoDropletHost, "no droplet host is configured: the operator can set LOCKBOX_DOCKER_HOST"},
}

// onTheWire copies an error, and returns the copy with the names of the HTTP API. The given error stays unchanged,
// because other requests may share it. A use case may have added text to the message, such as the name of a droplet's
// variable. The copy contains this text unchanged.
func onTheWire(refusal *domain.Error) *domain.Error {
	shown := *refusal
	if name, ok := wireFields[refusal.Field]; ok {
		shown.Field = name
	}
	for _, words := range wireMessages {
		if words.of.Code == refusal.Code {
			shown.Message = strings.Replace(refusal.Message, words.of.Message, words.message, 1)
		}
	}
	return &shown
}
