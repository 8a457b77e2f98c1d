package otp

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/boombuler/barcode/qr"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// maxAccount is the maximum length of the account, in bytes. User names have at most 50 bytes. If the account and the
// issuer are ASCII, the QR code fits into 80 terminal columns even at their maximum lengths.
const maxAccount = 100

// Enrolment returns a secret in the forms that authenticator apps read. See ports.TOTP. The account must be 1 to 100
// bytes of printable text without a colon; every user name meets this rule. Enrolment fails for any other account, and
// for a secret that is too short or was cleared. Its errors repeat neither the account nor the secret.
func (c *Codes) Enrolment(secret domain.Secret, account string) (ports.Enrolment, error) {
	if err := checkSecret(secret); err != nil {
		return ports.Enrolment{}, err
	}
	if err := checkLabel(account, maxAccount); err != nil {
		return ports.Enrolment{}, fmt.Errorf("the TOTP account %w", err)
	}
	text := encodeSecret(secret)
	uri := keyURI(c.config.Issuer, account, text)
	picture, err := draw(uri, qr.M)
	if err != nil {
		return ports.Enrolment{}, err
	}
	png, err := picture.png()
	if err != nil {
		return ports.Enrolment{}, err
	}
	// The lowest error correction level makes the code small. This level is enough, because a code on a screen, unlike
	// a printed code, is not damaged.
	characters, err := draw(uri, qr.L)
	if err != nil {
		return ports.Enrolment{}, err
	}
	return ports.Enrolment{
		Secret:   text,
		URI:      uri,
		PNG:      png,
		Terminal: characters.terminal(),
	}, nil
}

// keyURI returns the otpauth:// URI (github.com/google/google-authenticator/wiki/Key-Uri-Format). It contains the
// issuer twice, as the format recommends. It also contains the default parameters, because some apps require them.
//
// keyURI does not use pquerna/otp or url.URL, because they escape too few characters. pquerna/otp does not escape "&",
// "+" and "=" in the issuer, so apps would read the issuer "A&B" as "A". url.URL does not escape "/" and "+" in a path.
func keyURI(issuer, account, secret string) string {
	return "otpauth://totp/" + escape(issuer) + ":" + escape(account) +
		"?algorithm=" + algorithm +
		"&digits=" + strconv.Itoa(digits) +
		"&issuer=" + escape(issuer) +
		"&period=" + strconv.Itoa(period) +
		"&secret=" + secret
}

// escape percent-encodes all characters except the unreserved ones (RFC 3986, section 2.3). A space becomes %20,
// because apps read "+" literally.
func escape(text string) string {
	return strings.ReplaceAll(url.QueryEscape(text), "+", "%20")
}
