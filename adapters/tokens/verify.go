package tokens

import (
	"context"
	"crypto/sha256"
	"errors"

	"github.com/golang-jwt/jwt/v5"

	"github.com/lockbox-go/lockbox/domain"
)

// maxTokenBytes is far above the length of any token that Mint returns. It limits how much unverified input is decoded.
const maxTokenBytes = 4 << 10

// These errors state for the log why a token was refused. They are fixed texts, because the library's errors quote
// parts of the token.
var (
	errTooLong   = errors.New("the token is longer than 4 KiB")
	errMalformed = errors.New("the token is malformed")
	errAlgorithm = errors.New("the token is not signed with HS512")
	errCritical  = errors.New("the token header has critical extensions (crit)")
	errKeyID     = errors.New("the key id (kid) of the token is missing or malformed")
	errKey       = errors.New("the signing key is unknown, retired or for another kind of token")
	errKeyLookup = errors.New("the signing key was not looked up, because there were too many lookups of unknown keys")
	errSignature = errors.New("the signature of the token is wrong")
	errExpired   = domain.ErrCredentialExpired
	errNoExpiry  = errors.New("the token has no expiry")
	errClaims    = errors.New("the claims do not match a token of this installation")
)

// Verify returns the credential of a valid token. See ports.Tokens. For an invalid token, it returns
// domain.ErrUnauthenticated with a cause that repeats no part of the token. If the signing key cannot be looked up,
// Verify returns the key ring's error.
func (s *Signer) Verify(ctx context.Context, token string) (domain.Credential, error) {
	return s.read(ctx, token, false)
}

// Identify is like Verify but accepts expired tokens. See ports.Tokens.
func (s *Signer) Identify(ctx context.Context, token string) (domain.Credential, error) {
	return s.read(ctx, token, true)
}

func (s *Signer) read(ctx context.Context, token string, ignoreExpiry bool) (domain.Credential, error) {
	credential, err := s.parse(ctx, token, ignoreExpiry)
	if failed, ok := errors.AsType[*lookupError](err); ok {
		return domain.Credential{}, failed.error // the token may be valid, so this is not ErrUnauthenticated
	}
	if err != nil {
		return domain.Credential{}, domain.ErrUnauthenticated.Because(err)
	}
	return credential, nil
}

// parse verifies a token. Each error that it returns is one of the fixed errors above or a *lookupError.
func (s *Signer) parse(ctx context.Context, token string, ignoreExpiry bool) (domain.Credential, error) {
	if err := checkText(token); err != nil {
		return domain.Credential{}, err
	}
	digest := sha256.Sum256([]byte(token))
	if known, ok := s.verified.get(digest); ok && (ignoreExpiry || !known.expired(s.config.Clock.Now())) {
		_, err := s.key(ctx, known.purpose, known.key)
		return known.credential, err
	}
	body := claims{ignoreExpiry: ignoreExpiry}
	var of kind
	var keyID domain.ServerKeyID
	var lookup error // the error of keyOf, which the library would hide
	_, err := s.parser.ParseWithClaims(token, &body, func(token *jwt.Token) (any, error) {
		var key []byte
		key, keyID, of, lookup = s.keyOf(ctx, token.Header, body.Audience)
		return key, lookup
	})
	switch {
	case lookup != nil:
		return domain.Credential{}, lookup
	case err != nil:
		return domain.Credential{}, causeOf(err)
	case of.expires && body.ExpiresAt == nil:
		return domain.Credential{}, errNoExpiry
	}
	id, idOK := domain.ParseID[domain.Credential](body.ID)
	user, userOK := domain.ParseID[domain.User](body.Subject)
	if !idOK || !userOK || id.IsZero() || user.IsZero() {
		return domain.Credential{}, errClaims
	}
	credential := domain.Credential{Kind: of.credential, ID: id, User: user}
	s.verified.add(digest, verifiedToken{
		credential: credential,
		purpose:    of.purpose,
		key:        keyID,
		expiresAt:  body.expiry(),
	})
	return credential, nil
}

// checkText refuses text that cannot be a token. This check is necessary because the base64 decoder skips line breaks
// even in strict mode. Without the check, a token with added line breaks would be valid too.
func checkText(token string) error {
	if len(token) > maxTokenBytes {
		return errTooLong
	}
	for i := range len(token) {
		switch c := token[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_', c == '.':
		default:
			return errMalformed
		}
	}
	return nil
}

// keyOf returns the signing key that the token header names, and its id. The audience claim names the kind of the token
// and determines the purpose of the key. A token of one kind is therefore refused if a key for another kind has signed
// it.
func (s *Signer) keyOf(ctx context.Context, header map[string]any, audience string) (key []byte,
	id domain.ServerKeyID, of kind, err error) {
	if _, has := header["crit"]; has {
		return nil, id, of, errCritical // RFC 7515, section 4.1.11: refuse unsupported extensions
	}
	of, ok := findKind(func(k kind) bool { return k.audience == audience })
	if !ok {
		return nil, id, of, errClaims
	}
	text, _ := header["kid"].(string)
	parsed, ok := domain.ParseID[serverKeyOf](text)
	if !ok {
		return nil, id, of, errKeyID
	}
	id = domain.ServerKeyID(parsed)
	key, err = s.key(ctx, of.purpose, id)
	return key, id, of, err
}

// key returns the key with the given id and purpose, for verifying a token. If the key is unknown or retired, the error
// is errKey. If the key ring refuses the lookup because of its rate limit, the error is errKeyLookup. All other errors
// are a *lookupError.
func (s *Signer) key(ctx context.Context, purpose domain.KeyPurpose, id domain.ServerKeyID) ([]byte, error) {
	key, err := s.config.Keys.ByID(ctx, purpose, id)
	switch {
	case errors.Is(err, domain.NotFound):
		return nil, errKey
	case domain.CodeOf(err) == domain.ErrBusy.Code:
		// The id is unknown, and the key ring limits the rate of lookups of unknown ids. A token with an unknown id is
		// almost certainly forged.
		return nil, errKeyLookup
	case err != nil:
		return nil, &lookupError{err}
	}
	return key[:], nil
}

// lookupError wraps an error of the key ring. It does not mean that the token is invalid.
type lookupError struct{ error }

// serverKeyOf is a type argument for domain.ParseID, because the type argument of domain.ServerKeyID is unexported.
type serverKeyOf struct{}

// causeOf maps an error of the library to one of the fixed causes.
func causeOf(err error) error {
	switch {
	case errors.Is(err, jwt.ErrTokenExpired):
		return errExpired
	case errors.Is(err, jwt.ErrTokenInvalidClaims):
		return errClaims
	case errors.Is(err, jwt.ErrSignatureInvalid):
		return errSignature
	case errors.Is(err, jwt.ErrTokenSignatureInvalid), errors.Is(err, jwt.ErrTokenUnverifiable):
		return errAlgorithm
	default:
		return errMalformed
	}
}
