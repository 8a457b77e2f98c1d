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

// maxAccount and maxIssuer keep the QR code within 80 columns of a terminal, as long as they are letters of ASCII; a
// name of a user has 50 at most.
const maxAccount = 100

// Enrolment writes what an app reads. See ports.TOTP. The account is 1 to 100 bytes of printable text without a colon,
// as every name of a user is. Errors: another account, or a secret that is too short or was cleared; they say neither.
func (c *Codes) Enrolment(secret domain.Secret, account string) (ports.Enrolment, error) {
	if err := checkSecret(secret); err != nil {
		return ports.Enrolment{}, err
	}
	if err := checkLabel(account, maxAccount); err != nil {
		return ports.Enrolment{}, fmt.Errorf("the account of one-time codes %w", err)
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
	// A terminal has little room and a screen does no damage, so the least correction is enough there.
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

// keyURI writes the Key URI format (github.com/google/google-authenticator/wiki/Key-Uri-Format). It names the issuer
// twice, as that asks for, and the defaults too, which some apps want to see.
//
// It is not left to pquerna/otp, which keeps "&", "+" and "=" of an issuer as they are, so that an issuer "A&B" is read
// back as "A", nor to url.URL, which keeps "/" and "+" in a path.
func keyURI(issuer, account, secret string) string {
	return "otpauth://totp/" + escape(issuer) + ":" + escape(account) +
		"?algorithm=" + algorithm +
		"&digits=" + strconv.Itoa(digits) +
		"&issuer=" + escape(issuer) +
		"&period=" + strconv.Itoa(period) +
		"&secret=" + secret
}

// escape leaves only what RFC 3986, section 2.3, calls unreserved. A space is %20 and never "+": apps read that one
// literally.
func escape(text string) string {
	return strings.ReplaceAll(url.QueryEscape(text), "+", "%20")
}
