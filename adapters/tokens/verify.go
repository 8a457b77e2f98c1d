package tokens

import (
	"context"
	"errors"

	"github.com/golang-jwt/jwt/v5"

	"github.com/lockbox-go/lockbox/domain"
)

// maxToken is far above what is ever signed here, and keeps what strangers send from being decoded at length.
const maxToken = 4 << 10

// The causes that go to the log. They are fixed, because the library's own texts repeat parts of the token.
var (
	errTooLong   = errors.New("the token is longer than 4 KiB")
	errMalformed = errors.New("the token is malformed")
	errAlgorithm = errors.New("the token is not signed with HS512")
	errCritical  = errors.New("the token's header has critical extensions")
	errKeyID     = errors.New("the token's key id is missing or malformed")
	errKey       = errors.New("the token's key is unknown, retired or of another kind of token")
	errKeyLookup = errors.New("the token's key could not be looked up")
	errSignature = errors.New("the token's signature is wrong")
	errExpired   = errors.New("the token has expired")
	errNoExpiry  = errors.New("the token does not say when it ends")
	errClaims    = errors.New("the token's claims are not those of a token of this installation")
)

// Verify returns whom a token speaks for. See ports.Tokens: whatever is wrong with it is domain.ErrUnauthenticated,
// with a cause that repeats nothing of the token; what the key ring returns when it cannot look for the key.
func (s *Signer) Verify(ctx context.Context, token string) (domain.Credential, error) {
	return s.read(ctx, token, false)
}

// Identify is Verify, but for the expiry. See ports.Tokens.
func (s *Signer) Identify(ctx context.Context, token string) (domain.Credential, error) {
	return s.read(ctx, token, true)
}

func (s *Signer) read(ctx context.Context, token string, evenExpired bool) (domain.Credential, error) {
	credential, err := s.parse(ctx, token, evenExpired)
	if failed, ok := errors.AsType[*lookupError](err); ok {
		return domain.Credential{}, failed.error // nothing is known of the token: that is no 401
	}
	if err != nil {
		return domain.Credential{}, domain.ErrUnauthenticated.Because(err)
	}
	return credential, nil
}

func (s *Signer) parse(ctx context.Context, token string, evenExpired bool) (domain.Credential, error) {
	if err := checkText(token); err != nil {
		return domain.Credential{}, err
	}
	body := claims{evenExpired: evenExpired}
	var of kind
	var lookup error // what went wrong in looking for the key; the library would bury it
	_, err := s.parser.ParseWithClaims(token, &body, func(token *jwt.Token) (any, error) {
		var key []byte
		key, of, lookup = s.keyOf(ctx, token.Header, body.Audience)
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
	id, idFine := domain.ParseID[domain.Credential](body.ID)
	user, userFine := domain.ParseID[domain.User](body.Subject)
	if !idFine || !userFine || id.IsZero() || user.IsZero() {
		return domain.Credential{}, errClaims
	}
	return domain.Credential{Kind: of.credential, ID: id, User: user}, nil
}

// checkText refuses what cannot be a token. The decoder of base64 skips line breaks even when it is strict, which would
// give one token many spellings.
func checkText(token string) error {
	if len(token) > maxToken {
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

// keyOf finds the key that a token claims to be signed under. The audience says of which kind the key must be: one of
// another kind is not found, and so a token cannot be of one kind by its audience and of another by its signature.
func (s *Signer) keyOf(ctx context.Context, header map[string]any, audience string) ([]byte, kind, error) {
	if _, has := header["crit"]; has {
		return nil, kind{}, errCritical // RFC 7515, section 4.1.11: none of them is understood here
	}
	of, ok := kindOf(func(k kind) bool { return k.audience == audience })
	if !ok {
		return nil, kind{}, errClaims
	}
	text, _ := header["kid"].(string)
	id, ok := domain.ParseID[serverKeyOf](text)
	if !ok {
		return nil, kind{}, errKeyID
	}
	key, err := s.config.Keys.ByID(ctx, of.purpose, domain.ServerKeyID(id))
	switch {
	case errors.Is(err, domain.NotFound):
		return nil, kind{}, errKey
	case domain.CodeOf(err) == domain.ErrBusy.Code:
		// An id that nobody has heard of, too soon after the last one: made up, all but surely.
		return nil, kind{}, errKeyLookup
	case err != nil:
		return nil, kind{}, &lookupError{err}
	}
	return key[:], of, nil
}

// lookupError says that the keys could not be looked at.
type lookupError struct{ error }

// serverKeyOf stands in for the type behind domain.ServerKeyID, which has no name outside the domain.
type serverKeyOf struct{}

// causeOf names what the library found wrong.
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
