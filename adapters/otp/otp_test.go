package otp_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/pquerna/otp/hotp"
	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/adapters/otp"
	"github.com/lockbox-go/lockbox/domain"
)

// rfcSecret is the secret of the test vectors in RFC 4226 and RFC 6238.
const rfcSecret = "12345678901234567890"

// rfcBase32 is rfcSecret in base32, as encoded by GNU base32.
const rfcBase32 = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"

// rfcCodes lists the codes of steps 0 to 9 from RFC 4226, appendix D.
var rfcCodes = []string{
	"755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489",
}

func newCodes(t *testing.T, issuer string) *otp.Codes {
	t.Helper()
	codes, err := otp.New(otp.Config{Issuer: issuer})
	require.NoError(t, err)
	return codes
}

func at(seconds int64) time.Time { return time.Unix(seconds, 0) }

// TestVectors uses the SHA-1 vectors of RFC 6238, appendix B. The vectors have 8 digits; a 6-digit code consists of
// the last 6.
func TestVectors(t *testing.T) {
	t.Parallel()
	codes := newCodes(t, "Lockbox")
	for _, row := range []struct {
		seconds int64
		step    int64
		code    string
	}{
		{59, 0x1, "94287082"},
		{1111111109, 0x23523EC, "07081804"},
		{1111111111, 0x23523ED, "14050471"},
		{1234567890, 0x273EF07, "89005924"},
		{2000000000, 0x3F940AA, "69279037"},
		{20000000000, 0x27BC86AA, "65353130"},
	} {
		step, ok := codes.Match(domain.NewSecret(rfcSecret), row.code[2:], at(row.seconds))
		require.True(t, ok, row.code)
		require.Equal(t, row.step, step, row.code)
		_, ok = codes.Match(domain.NewSecret(rfcSecret), row.code, at(row.seconds))
		require.False(t, ok, "all 8 digits of %s", row.code)
	}
}

// TestWindow checks the codes of steps 0 to 9 at each second of these steps.
func TestWindow(t *testing.T) {
	t.Parallel()
	codes := newCodes(t, "Lockbox")
	for second := range int64(300) {
		now := second / 30
		for of, code := range rfcCodes {
			step, ok := codes.Match(domain.NewSecret(rfcSecret), code, at(second))
			distance := now - int64(of)
			require.Equal(t, -1 <= distance && distance <= 1, ok, "code of step %d in second %d", of, second)
			if ok {
				require.Equal(t, int64(of), step)
			}
		}
	}
}

func TestBoundariesOfAStep(t *testing.T) {
	t.Parallel()
	codes := newCodes(t, "Lockbox")
	code := rfcCodes[5] // the code of seconds 150 to 179; accepted from 120 to 209
	for _, row := range []struct {
		now  time.Time
		want bool
	}{
		{time.Unix(120, 0).Add(-time.Nanosecond), false},
		{time.Unix(120, 0), true},
		{time.Unix(150, 0).Add(-time.Nanosecond), true},
		{time.Unix(150, 0), true},
		{time.Unix(180, 0).Add(-time.Nanosecond), true},
		{time.Unix(180, 0), true},
		{time.Unix(210, 0).Add(-time.Nanosecond), true},
		{time.Unix(210, 0), false},
		{time.Unix(165, 0).In(time.FixedZone("far", 14*3600)), true},
	} {
		step, ok := codes.Match(domain.NewSecret(rfcSecret), code, row.now)
		require.Equal(t, row.want, ok, row.now)
		if ok {
			require.EqualValues(t, 5, step)
		}
	}
}

func TestTimesWithoutSteps(t *testing.T) {
	t.Parallel()
	codes := newCodes(t, "Lockbox")
	for _, now := range []time.Time{{}, at(-1), at(-30), at(-31)} {
		_, ok := codes.Match(domain.NewSecret(rfcSecret), rfcCodes[0], now)
		require.False(t, ok, now)
	}
	step, ok := codes.Match(domain.NewSecret(rfcSecret), rfcCodes[0], at(0))
	require.True(t, ok)
	require.Zero(t, step)
	// This code is for step -1. As an unsigned counter, -1 is the largest number.
	before, err := hotp.GenerateCode(rfcBase32, math.MaxUint64)
	require.NoError(t, err)
	_, ok = codes.Match(domain.NewSecret(rfcSecret), before, at(0))
	require.False(t, ok)
}

func TestSpellingsOfACode(t *testing.T) {
	t.Parallel()
	codes := newCodes(t, "Lockbox")
	for text, want := range map[string]bool{
		"287082":                    true,
		"287 082":                   true,
		" 287082 ":                  true,
		"2 8 7 0 8 2":               true,
		"":                          false,
		" ":                         false,
		"28708":                     false,
		"2870822":                   false,
		"0287082":                   false,
		"287082 0":                  false,
		"28708a":                    false,
		"+287082":                   false,
		"-87082":                    false,
		"287-082":                   false,
		"287.082":                   false,
		"287082\n":                  false,
		"287\t082":                  false,
		"287\u00a0082":              false,
		"287082\x00":                false,
		"٢٨٧٠٨٢":                    false,
		"２８７０８２":                    false,
		"0x4616a":                   false,
		"28708\xff":                 false,
		strings.Repeat("287082", 9): false,
	} {
		_, ok := codes.Match(domain.NewSecret(rfcSecret), text, at(59))
		require.Equal(t, want, ok, "%q", text)
	}
}

// TestOtherCodesDoNotMatch tries every 37th possible code. Only the codes of the three accepted steps may match.
func TestOtherCodesDoNotMatch(t *testing.T) {
	t.Parallel()
	codes := newCodes(t, "Lockbox")
	for n := 0; n < 1_000_000; n += 37 {
		code := fmt.Sprintf("%06d", n)
		if _, ok := codes.Match(domain.NewSecret(rfcSecret), code, at(59)); ok {
			require.Contains(t, rfcCodes[:3], code)
		}
	}
	for of, code := range rfcCodes[:3] {
		step, ok := codes.Match(domain.NewSecret(rfcSecret), code, at(59))
		require.True(t, ok)
		require.EqualValues(t, of, step)
	}
}

// TestTheLatestOfEqualCodes finds two steps in one window that have the same code, and expects the later step. If the
// earlier step were recorded, the code could be used again.
func TestTheLatestOfEqualCodes(t *testing.T) {
	t.Parallel()
	codes := newCodes(t, "Lockbox")
	for _, row := range []struct {
		earlier, later int64
		code           string
	}{
		{153567, 153569, "468457"},
		{679858, 679860, "038755"},
		{910737, 910738, "911617"},
	} {
		step, ok := codes.Match(domain.NewSecret(rfcSecret), row.code, at((row.later-1)*30))
		require.True(t, ok)
		require.Equal(t, row.later, step)
		step, ok = codes.Match(domain.NewSecret(rfcSecret), row.code, at((row.earlier-1)*30))
		require.True(t, ok, "the later step is not in the window yet")
		require.Equal(t, row.earlier, step)
	}
}

func TestSecretsWithoutCodes(t *testing.T) {
	t.Parallel()
	codes := newCodes(t, "Lockbox")
	cleared := domain.NewSecret(rfcSecret)
	cleared.Clear()
	for name, row := range map[string]struct {
		secret domain.Secret
		code   string // the HOTP value of step 1
	}{
		"none":      {domain.Secret{}, "812658"},
		"empty":     {domain.NewSecret(""), "812658"},
		"too short": {domain.NewSecret(rfcSecret[:15]), "617190"},
		"cleared":   {cleared, "812658"},
	} {
		_, ok := codes.Match(row.secret, row.code, at(59))
		require.False(t, ok, name)
	}
}

func TestNewSecret(t *testing.T) {
	t.Parallel()
	random := bytes.Repeat([]byte{0xA5, 0x01}, 10)
	codes, err := otp.New(otp.Config{Issuer: "Lockbox", Random: bytes.NewReader(random)})
	require.NoError(t, err)
	secret, err := codes.NewSecret()
	require.NoError(t, err)
	require.Equal(t, random, secret.Bytes(), "the bits in order")
	_, err = codes.NewSecret()
	require.ErrorIs(t, err, io.EOF, "the random source is exhausted")

	seen := map[string]bool{}
	for range 100 {
		secret, err := newCodes(t, "Lockbox").NewSecret()
		require.NoError(t, err)
		require.Len(t, secret.Bytes(), 20)
		require.False(t, seen[string(secret.Bytes())])
		seen[string(secret.Bytes())] = true
	}
}

func TestNewSecretRandomFails(t *testing.T) {
	t.Parallel()
	broken := errors.New("no randomness")
	for name, random := range map[string]io.Reader{
		"broken":      iotest.ErrReader(broken),
		"half":        io.MultiReader(strings.NewReader("0123456789"), iotest.ErrReader(broken)),
		"only zeros":  bytes.NewReader(make([]byte, 20)),
		"a few bytes": strings.NewReader("0123456789"),
	} {
		codes, err := otp.New(otp.Config{Issuer: "Lockbox", Random: random})
		require.NoError(t, err)
		secret, err := codes.NewSecret()
		require.Error(t, err, name)
		require.Empty(t, secret.Bytes(), name)
	}
}

// FuzzCode checks that only the right code matches. The code may contain spaces at any position.
func FuzzCode(f *testing.F) {
	codes, err := otp.New(otp.Config{Issuer: "Lockbox"})
	require.NoError(f, err)
	for _, seed := range []string{"287082", "287 082", " 755224", "", "28708", "2870822", "２８７０８２", "-87082"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		step, ok := codes.Match(domain.NewSecret(rfcSecret), text, at(59))
		of := slices.Index(rfcCodes[:3], strings.ReplaceAll(text, " ", ""))
		require.Equal(t, of >= 0, ok, "%q", text)
		require.EqualValues(t, max(of, 0), step)
	})
}
