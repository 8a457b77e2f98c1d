package contracts

import (
	"bytes"
	"encoding/base32"
	"image/png"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// rfcSecret is the secret of the SHA-1 vectors of RFC 6238, appendix B.
const rfcSecret = "12345678901234567890"

// TOTP is the suite of ports.TOTP.
func TOTP(t *testing.T, codes ports.TOTP) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, ports.TOTP){
		"Vectors": totpVectors, "Window": totpWindow, "Malformed": totpMalformed, "Secrets": totpSecrets,
		"Enrolment": totpEnrolment,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, codes)
		})
	}
}

// totpVectors uses the vectors of RFC 6238, appendix B. The codes in the RFC have eight digits. The last six digits of
// such a code are the code with six digits.
func totpVectors(t *testing.T, codes ports.TOTP) {
	for seconds, code := range map[int64]string{
		59: "94287082", 1111111109: "07081804", 1111111111: "14050471", 1234567890: "89005924",
		2000000000: "69279037", 20000000000: "65353130",
	} {
		step, ok := codes.Match(domain.NewSecret(rfcSecret), code[2:], time.Unix(seconds, 0))
		require.True(t, ok, code)
		require.Equal(t, seconds/30, step, code)
		_, ok = codes.Match(domain.NewSecret("another secret of 20"), code[2:], time.Unix(seconds, 0))
		require.False(t, ok, code)
	}
}

// totpWindow verifies that a code is accepted during three time steps, and refused just before and just after them.
func totpWindow(t *testing.T, codes ports.TOTP) {
	const code, at = "005924", 1234567890 // the first second of its step
	for offset, want := range map[int64]bool{
		-31: false, -30: true, -1: true, 0: true, 29: true, 30: true, 59: true, 60: false, 90: false,
	} {
		step, ok := codes.Match(domain.NewSecret(rfcSecret), code, time.Unix(at+offset, 0))
		require.Equal(t, want, ok, "after %d seconds", offset)
		if ok {
			require.EqualValues(t, at/30, step, "Match returns the step of the code, not of the current time")
		}
	}
}

func totpMalformed(t *testing.T, codes ports.TOTP) {
	now := time.Unix(1234567890, 0)
	for _, code := range []string{"", "5924", "05924", "0005924", "89005924", "-05924", "00592x", "+05924", "٠٠٥٩٢٤",
		strings.Repeat("0", 1<<16)} {
		_, ok := codes.Match(domain.NewSecret(rfcSecret), code, now)
		require.False(t, ok, "%.20q", code)
	}
	_, ok := codes.Match(domain.Secret{}, "005924", now)
	require.False(t, ok, "without a secret")
}

func totpSecrets(t *testing.T, codes ports.TOTP) {
	seen := map[string]bool{}
	for range 100 {
		secret, err := codes.NewSecret()
		require.NoError(t, err)
		require.Len(t, secret.Bytes(), 160/8)
		seen[string(secret.Bytes())] = true
	}
	require.Len(t, seen, 100)
}

func totpEnrolment(t *testing.T, codes ports.TOTP) {
	secret := domain.NewSecret(rfcSecret)
	enrolment, err := codes.Enrolment(secret, "anna")
	require.NoError(t, err)
	raw, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(enrolment.Secret)
	require.NoError(t, err)
	require.Equal(t, secret.Bytes(), raw)

	uri, err := url.Parse(enrolment.URI)
	require.NoError(t, err)
	require.Equal(t, "otpauth://totp", uri.Scheme+"://"+uri.Host)
	issuer, account, found := strings.Cut(strings.TrimPrefix(uri.Path, "/"), ":")
	require.True(t, found)
	require.Equal(t, "anna", account)
	require.Equal(t, issuer, uri.Query().Get("issuer"))
	require.Equal(t, enrolment.Secret, uri.Query().Get("secret"))

	_, err = png.Decode(bytes.NewReader(enrolment.PNG))
	require.NoError(t, err)
	require.Greater(t, strings.Count(enrolment.Terminal, "\n"), 10)
}
