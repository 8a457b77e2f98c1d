package tokens

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"hash"
	"maps"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
)

type object = map[string]any

// forged describes a handmade token. If a field is nil, this part of the token is the same as in a valid API key.
type forged struct {
	header, body object
	key          []byte
	hash         func() hash.Hash
	// raw, if set, replaces the encoded payload.
	raw string
}

var without any = struct{}{} // as a claim: omit the field

func (f forged) token(t testing.TB) string {
	t.Helper()
	header := object{"alg": "HS512", "typ": "JWT", "kid": newAPIKey.String()}
	body := object{
		"jti": apiKey.ID.String(), "iss": installation, "aud": apiKeyAudience, "sub": user.String(),
		"iat": issued.Unix(), "exp": expires.Unix(),
	}
	encode := func(base, changes object) string {
		maps.Copy(base, changes)
		maps.DeleteFunc(base, func(_ string, v any) bool { return v == without })
		text, err := json.Marshal(base)
		require.NoError(t, err)
		return base64.RawURLEncoding.EncodeToString(text)
	}
	text := encode(header, f.header) + "."
	if f.raw != "" {
		text += f.raw
	} else {
		text += encode(body, f.body)
	}
	key, makeHash := f.key, f.hash
	if key == nil {
		fixed := keyFor(newAPIKey)
		key = fixed[:]
	}
	if makeHash == nil {
		makeHash = sha512.New
	}
	mac := hmac.New(makeHash, key)
	mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func TestForgedIsValidByDefault(t *testing.T) {
	t.Parallel()
	s, _ := signer(t)
	got, err := s.Verify(t.Context(), forged{}.token(t))
	require.NoError(t, err)
	require.Equal(t, apiKey, got)
	got, err = s.Verify(t.Context(), forged{
		header: object{"kid": newSession.String()}, body: object{"aud": sessionAudience}, key: bytesOf(newSession),
	}.token(t))
	require.NoError(t, err)
	require.Equal(t, domain.SessionCredential, got.Kind)
}

func bytesOf(id domain.ServerKeyID) []byte {
	key := keyFor(id)
	return key[:]
}

func TestVerifyRefuses(t *testing.T) {
	t.Parallel()
	s, _ := signer(t)
	for name, test := range map[string]struct {
		forged forged
		cause  error
	}{
		"another key":                 {forged{key: []byte("guessed")}, errSignature},
		"no key":                      {forged{key: []byte{}}, errSignature},
		"HS256":                       {forged{header: object{"alg": "HS256"}, hash: sha256.New}, errAlgorithm},
		"HS384":                       {forged{header: object{"alg": "HS384"}, hash: sha512.New384}, errAlgorithm},
		"none":                        {forged{header: object{"alg": "none"}}, errAlgorithm},
		"None":                        {forged{header: object{"alg": "None"}}, errAlgorithm},
		"RS256":                       {forged{header: object{"alg": "RS256"}}, errAlgorithm},
		"no algorithm":                {forged{header: object{"alg": without}}, errAlgorithm},
		"an algorithm that is none":   {forged{header: object{"alg": 512}}, errAlgorithm},
		"critical extensions":         {forged{header: object{"crit": []string{"exp"}}}, errCritical},
		"no critical extensions":      {forged{header: object{"crit": nil}}, errCritical},
		"no key id":                   {forged{header: object{"kid": without}}, errKeyID},
		"an empty key id":             {forged{header: object{"kid": ""}}, errKeyID},
		"a key id that is none":       {forged{header: object{"kid": 7}}, errKeyID},
		"a key id of other form":      {forged{header: object{"kid": strings.Repeat("a", 36)}}, errKeyID},
		"an unknown key id":           {forged{header: object{"kid": domain.ServerKeyID{0xff}.String()}}, errKey},
		"signed with the session key": {forged{key: bytesOf(newSession)}, errSignature},
		"of the session key": {forged{header: object{"kid": newSession.String()}, key: bytesOf(newSession)},
			errKey},
		"for sessions, of the key for API keys": {
			forged{body: object{"aud": sessionAudience}}, errKey,
		},
		"for both": {forged{body: object{"aud": []string{apiKeyAudience, sessionAudience}}}, errMalformed},
		"in a list": {
			forged{body: object{"aud": []string{apiKeyAudience}}}, errMalformed,
		},
		"for no audience":            {forged{body: object{"aud": without}}, errClaims},
		"for others":                 {forged{body: object{"aud": "lockbox"}}, errClaims},
		"of another installation":    {forged{body: object{"iss": "018f0000-0000-7000-8000-000000000002"}}, errClaims},
		"of no installation":         {forged{body: object{"iss": without}}, errClaims},
		"expired":                    {forged{body: object{"exp": issued.Unix()}}, errExpired},
		"expired long ago":           {forged{body: object{"exp": 0}}, errExpired},
		"with half a second":         {forged{body: object{"exp": 1e12 + 0.5}}, errMalformed},
		"with an end that is a text": {forged{body: object{"exp": "never"}}, errMalformed},
		"without an id":              {forged{body: object{"jti": without}}, errClaims},
		"with an id of zeros":        {forged{body: object{"jti": domain.CredentialID{}.String()}}, errClaims},
		"with a strange id":          {forged{body: object{"jti": "1"}}, errClaims},
		"without a user":             {forged{body: object{"sub": without}}, errClaims},
		"with a strange user":        {forged{body: object{"sub": "admin"}}, errClaims},
		"a session without its end": {forged{
			header: object{"kid": newSession.String()}, body: object{"aud": sessionAudience, "exp": without},
			key: bytesOf(newSession),
		}, errNoExpiry},
		"no JSON":         {forged{raw: base64.RawURLEncoding.EncodeToString([]byte("{"))}, errMalformed},
		"two bodies":      {forged{raw: base64.RawURLEncoding.EncodeToString([]byte("{}{}"))}, errMalformed},
		"no base64":       {forged{raw: "a"}, errMalformed},
		"nothing at all":  {forged{raw: base64.RawURLEncoding.EncodeToString([]byte("null"))}, errClaims},
		"a body too long": {forged{body: object{"x": strings.Repeat("x", 4096)}}, errTooLong},
	} {
		token := test.forged.token(t)
		got, err := s.Verify(t.Context(), token)
		refused(t, err, test.cause, name)
		require.Zero(t, got, name)
		if test.cause != errExpired { //nolint:errorlint // it is that very value
			_, err = s.Identify(t.Context(), token)
			refused(t, err, test.cause, name)
		}
	}
}

func TestTokensHaveOneSpelling(t *testing.T) {
	t.Parallel()
	s, _ := signer(t)
	token := forged{}.token(t)
	parts := strings.Split(token, ".")
	// An HS512 signature has 64 bytes, so four bits of its last base64url character are unused. A lenient decoder would
	// ignore these bits and accept 15 other characters in that place.
	last := strings.IndexByte(alphabet, token[len(token)-1])
	for spare := 1; spare < 16; spare++ {
		_, err := s.Verify(t.Context(), token[:len(token)-1]+string(alphabet[last^spare]))
		refused(t, err, errMalformed)
	}
	for name, text := range map[string]string{
		"empty": "", "dots": "..", "one part": parts[0], "two parts": parts[0] + "." + parts[1],
		"no signature": parts[0] + "." + parts[1] + ".", "four parts": token + ".", "five parts": token + ".x.y",
		"padded": token + "==", "line break": token + "\n", "a line break inside": token[:20] + "\r\n" + token[20:],
		"space": " " + token, "prefix": "Bearer " + token, "zero": token + "\x00",
		"the other alphabet": parts[0] + "." +
			parts[1] + "." + strings.NewReplacer("-", "+", "_", "/").Replace(parts[2]) + "+",
		"cut":  token[:len(token)-1],
		"junk": token + "A", "swapped": parts[1] + "." + parts[0] + "." + parts[2],
	} {
		_, err := s.Verify(t.Context(), text)
		require.ErrorIs(t, err, domain.Unauthenticated, name)
		require.Equal(t, "unauthenticated", domain.CodeOf(err), name)
	}
	for i := range token {
		changed := []byte(token)
		changed[i] = alphabet[(strings.IndexByte(alphabet, changed[i])+1)%64]
		_, err := s.Verify(t.Context(), string(changed))
		require.ErrorIs(t, err, domain.Unauthenticated, "character %d", i)
	}
	_, err := s.Verify(t.Context(), strings.Repeat("a", maxTokenBytes+1))
	refused(t, err, errTooLong)
}

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// TestRealRSA checks that a token is refused although its RSA signature is correct.
func TestRealRSA(t *testing.T) {
	t.Parallel()
	s, _ := signer(t)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	_, body, err := s.bodyOf(claimsOf(apiKey))
	require.NoError(t, err)
	token := jwt.NewWithClaims(jwt.SigningMethodRS256, body)
	token.Header["kid"] = newAPIKey.String()
	text, err := token.SignedString(key)
	require.NoError(t, err)
	_, err = s.Verify(t.Context(), text)
	refused(t, err, errAlgorithm)

	unsigned := jwt.NewWithClaims(jwt.SigningMethodNone, body)
	text, err = unsigned.SignedString(jwt.UnsafeAllowNoneSignatureType)
	require.NoError(t, err)
	_, err = s.Verify(t.Context(), text)
	refused(t, err, errAlgorithm)
}

// TestCausesRepeatNothing puts a canary into every part of a token and checks that no error contains it.
func TestCausesRepeatNothing(t *testing.T) {
	t.Parallel()
	s, _ := signer(t)
	const canary = "canary"
	for _, f := range []forged{
		{header: object{"alg": canary}}, {header: object{"kid": canary}}, {header: object{"crit": canary}},
		{header: object{"typ": canary}, key: []byte(canary)},
		{body: object{"aud": canary}}, {body: object{"iss": canary}}, {body: object{"jti": canary}},
		{body: object{"sub": canary}}, {body: object{"exp": canary}}, {body: object{"iat": canary}},
		{raw: canary}, {raw: base64.RawURLEncoding.EncodeToString([]byte(canary))},
	} {
		_, err := s.Verify(t.Context(), f.token(t))
		require.ErrorIs(t, err, domain.Unauthenticated)
		require.NotContains(t, err.Error(), canary)
	}
}
