package otp_test

import (
	"encoding/base32"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	pquerna "github.com/pquerna/otp"
	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/adapters/otp"
	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

var _ ports.TOTP = (*otp.Codes)(nil)

func TestURI(t *testing.T) {
	t.Parallel()
	const rest = "&period=30&secret=" + rfcBase32
	for _, row := range []struct{ issuer, account, want string }{
		{"Lockbox", "anna", "otpauth://totp/Lockbox:anna?algorithm=SHA1&digits=6&issuer=Lockbox" + rest},
		{"ACME Co", "anna.b_c-d",
			"otpauth://totp/ACME%20Co:anna.b_c-d?algorithm=SHA1&digits=6&issuer=ACME%20Co" + rest},
		{"Büro Köln", "jörg", "otpauth://totp/B%C3%BCro%20K%C3%B6ln:j%C3%B6rg?algorithm=SHA1&digits=6" +
			"&issuer=B%C3%BCro%20K%C3%B6ln" + rest},
		{"A&B=C+D", "a@b.example", "otpauth://totp/A%26B%3DC%2BD:a%40b.example?algorithm=SHA1&digits=6" +
			"&issuer=A%26B%3DC%2BD" + rest},
		{"100%", "a/../b?c#d", "otpauth://totp/100%25:a%2F..%2Fb%3Fc%23d?algorithm=SHA1&digits=6&issuer=100%25" + rest},
		{"%3A", "%3a", "otpauth://totp/%253A:%253a?algorithm=SHA1&digits=6&issuer=%253A" + rest},
	} {
		enrolment, err := newCodes(t, row.issuer).Enrolment(domain.NewSecret(rfcSecret), row.account)
		require.NoError(t, err)
		require.Equal(t, row.want, enrolment.URI)
		require.Equal(t, rfcBase32, enrolment.Secret)
	}
}

// names are valid issuers and accounts with unusual characters.
var names = []string{
	"Lockbox", "anna", "a", "ACME Co", "Büro Köln", "Łódź", "東京", "🔑 keys", "A&B", "a=b", "C++", "100%", "%41", "a/b",
	"../..",
	"a?b#c", "a;b,c", "a@b.example", `"quoted" 'too'`, "<b>", "$(x)", "*", "~a_b-c.d", "[x]", `back\slash`, "|", "^`{}",
}

// TestURIReadBack parses URIs as three groups of apps do. Google Authenticator and Aegis decode the path and split it
// at its only colon. 1Password takes the issuer from the query. Some apps decode the query as a form, where "+" is a
// space.
func TestURIReadBack(t *testing.T) {
	t.Parallel()
	for i, issuer := range names {
		codes := newCodes(t, issuer)
		account := names[len(names)-1-i]
		secret, err := codes.NewSecret()
		require.NoError(t, err)
		enrolment, err := codes.Enrolment(secret, account)
		require.NoError(t, err)

		uri, err := url.Parse(enrolment.URI)
		require.NoError(t, err)
		require.Equal(t, "otpauth", uri.Scheme)
		require.Equal(t, "totp", uri.Host)
		require.Empty(t, uri.Fragment)
		require.Equal(t, []string{issuer, account}, strings.Split(strings.TrimPrefix(uri.Path, "/"), ":"))
		require.Equal(t, 1, strings.Count(uri.EscapedPath(), "/"))
		require.NotContains(t, enrolment.URI, "+")
		form, err := url.ParseQuery(uri.RawQuery)
		require.NoError(t, err)
		require.Equal(t, url.Values{
			"algorithm": {"SHA1"}, "digits": {"6"}, "issuer": {issuer}, "period": {"30"}, "secret": {enrolment.Secret},
		}, form)
		raw, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(enrolment.Secret)
		require.NoError(t, err)
		require.Equal(t, secret.Bytes(), raw)

		key, err := pquerna.NewKeyFromURL(enrolment.URI)
		require.NoError(t, err)
		require.Equal(t, issuer, key.Issuer())
		require.Equal(t, account, key.AccountName())
		require.Equal(t, enrolment.Secret, key.Secret())
		require.Equal(t, pquerna.AlgorithmSHA1, key.Algorithm())
		require.Equal(t, pquerna.DigitsSix, key.Digits())
		require.EqualValues(t, 30, key.Period())
	}
}

func TestRefusedLabels(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                       "is missing or empty",
		"a:b":                    "contains a colon",
		":":                      "contains a colon",
		" a":                     "begins or ends with a space",
		"a ":                     "begins or ends with a space",
		" ":                      "begins or ends with a space",
		"a\nb":                   "cannot be printed",
		"a\x00b":                 "cannot be printed",
		"a\x1b[31mb":             "cannot be printed",
		"a\u00a0b":               "cannot be printed",
		"a\u202eb":               "cannot be printed",
		"a\u200bb":               "cannot be printed",
		"a\xffb":                 "is not UTF-8",
		strings.Repeat("a", 101): "is longer than",
		strings.Repeat("ü", 51):  "is longer than",
	} {
		_, err := otp.New(otp.Config{Issuer: text})
		require.ErrorContains(t, err, "the TOTP issuer ", "%q", text)
		require.ErrorContains(t, err, want, "%q", text)
		enrolment, err := newCodes(t, "Lockbox").Enrolment(domain.NewSecret(rfcSecret), text)
		require.ErrorContains(t, err, "the TOTP account ", "%q", text)
		require.ErrorContains(t, err, want, "%q", text)
		require.Zero(t, enrolment)
	}
	newCodes(t, strings.Repeat("a", 50))
	_, err := otp.New(otp.Config{Issuer: strings.Repeat("a", 51)})
	require.Error(t, err)
	_, err = newCodes(t, "Lockbox").Enrolment(domain.NewSecret(rfcSecret), strings.Repeat("a", 101))
	require.Error(t, err)
}

func TestASecretIsNotPrinted(t *testing.T) {
	t.Parallel()
	codes := newCodes(t, "Lockbox")
	secret := domain.NewSecret("CANARY-ABCDEFGHIJKLM")
	enrolment, err := codes.Enrolment(secret, "anna")
	require.NoError(t, err)
	var said strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&said, verb+verb, secret, codes)
	}
	written, err := json.Marshal(secret)
	require.NoError(t, err)
	said.Write(written)
	for _, account := range []string{"", "a:b", strings.Repeat("a", 101)} {
		_, err := codes.Enrolment(secret, account)
		require.Error(t, err)
		fmt.Fprintf(&said, "%+v", err)
	}
	require.NotContains(t, said.String(), "CANARY")
	require.NotContains(t, said.String(), fmt.Sprintf("%x", "CANARY"))
	require.NotContains(t, said.String(), enrolment.Secret)
}

func TestEnrolmentNeedsASecret(t *testing.T) {
	t.Parallel()
	cleared := domain.NewSecret(rfcSecret)
	cleared.Clear()
	for name, secret := range map[string]domain.Secret{
		"none": {}, "empty": domain.NewSecret(""), "too short": domain.NewSecret(rfcSecret[:15]), "cleared": cleared,
	} {
		enrolment, err := newCodes(t, "Lockbox").Enrolment(secret, "anna")
		require.Error(t, err, name)
		require.NotContains(t, err.Error(), rfcSecret[:15])
		require.Zero(t, enrolment)
	}
}

// TestManyAtOnce makes concurrent calls, so that the race detector can examine them.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	codes := newCodes(t, "Lockbox")
	done := make(chan error)
	for range 8 {
		go func() {
			secret, err := codes.NewSecret()
			if err == nil {
				_, err = codes.Enrolment(secret, "anna")
			}
			codes.Match(secret, "000000", at(59))
			done <- err
		}()
	}
	for range 8 {
		require.NoError(t, <-done)
	}
}
