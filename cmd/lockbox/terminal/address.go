package terminal

import (
	"fmt"
	"strings"
)

// address is where an entry is: BOX/KEY, in which all after the first slash is the key.
type address struct{ box, key string }

func (a address) String() string { return a.box + "/" + a.key }

func parseAddress(text string) (address, error) {
	box, key, found := strings.Cut(text, "/")
	if !found || box == "" || key == "" {
		return address{}, &usageError{fmt.Errorf("%q is not the address of an entry: write BOX/KEY, as in "+
			"prod/payments/stripe", text)}
	}
	return address{box, key}, nil
}
