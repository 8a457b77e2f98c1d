package terminal

import (
	"context"
	"fmt"
	"strings"

	"github.com/lockbox-go/lockbox/client"
)

// address locates an entry. Users write an address as BOX/KEY. Everything after the first slash is the key.
type address struct{ box, key string }

// String returns the address in the form in which users write it.
func (a address) String() string { return a.box + "/" + a.key }

// parseAddress splits BOX/KEY. It checks only that both parts are present, because the server decides which names are
// valid.
func parseAddress(text string) (address, error) {
	box, key, found := strings.Cut(text, "/")
	if !found || box == "" || key == "" {
		return address{}, &usageError{fmt.Errorf("%q is not an entry address: "+
			"use BOX/KEY, for example prod/payments/stripe", text)}
	}
	return address{box, key}, nil
}

// openEntry returns the parsed address of an entry and a client for the selected server. It parses the address first,
// so a typing error is reported before a profile is read or a token is refreshed.
func (s *session) openEntry(ctx context.Context, text string) (*client.Client, address, error) {
	at, err := parseAddress(text)
	if err != nil {
		return nil, address{}, err
	}
	server, err := s.open(ctx)
	return server, at, err
}
