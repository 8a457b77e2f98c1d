// Package tokens signs and verifies API keys and session tokens. Both are JSON Web Tokens (RFC 7519) with HS512,
// following the best practices of RFC 8725. Each kind has its own audience and its own server keys, so a token of one
// kind is never accepted as a token of another kind.
package tokens

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// Keys provides the server keys. sealing.Keyring implements it.
type Keys interface {
	// Current returns the key that signs new tokens for the given purpose, and the id of that key.
	Current(purpose domain.KeyPurpose) (domain.ServerKeyID, [32]byte)
	// ByID returns the key with the given id and purpose if the key may still verify tokens. For an unknown id, it
	// returns domain.NotFound. While it limits the rate of lookups of unknown ids, it returns domain.ErrBusy instead.
	// Callers pass ids from unverified tokens.
	ByID(ctx context.Context, purpose domain.KeyPurpose, id domain.ServerKeyID) ([32]byte, error)
}

// Config configures a Signer. All fields are required.
type Config struct {
	Keys  Keys
	Clock ports.Clock
	// Installation identifies this Lockbox installation. It is the issuer (iss) of all tokens; tokens of other issuers
	// are refused.
	Installation string
}

// Signer signs and verifies tokens. It implements ports.Tokens and is safe for concurrent use.
type Signer struct {
	config   Config
	parser   *jwt.Parser
	verified *verifiedTokens
}

// New returns a Signer. It fails if a field of config is missing.
func New(config Config) (*Signer, error) {
	if config.Keys == nil || config.Clock == nil || config.Installation == "" {
		return nil, errors.New("tokens: Keys, Clock and Installation must be set")
	}
	parser := jwt.NewParser(
		jwt.WithValidMethods([]string{algorithm.Alg()}),
		jwt.WithStrictDecoding(),
		jwt.WithIssuer(config.Installation),
		jwt.WithAudience(apiKeyAudience, sessionAudience),
		jwt.WithTimeFunc(config.Clock.Now),
	)
	return &Signer{config: config, parser: parser, verified: newVerifiedTokens()}, nil
}

var algorithm = jwt.SigningMethodHS512

// Every token names its kind in the audience claim (aud).
const (
	apiKeyAudience  = "lockbox/api-key"
	sessionAudience = "lockbox/session"
)

// kind describes one kind of token.
type kind struct {
	credential domain.CredentialKind
	audience   string
	purpose    domain.KeyPurpose
	// expires means that a token of this kind must have an expiry (exp).
	expires bool
}

var kinds = []kind{
	{
		credential: domain.APIKeyCredential,
		audience:   apiKeyAudience,
		purpose:    domain.KeyForAPIKeys,
		expires:    false,
	},
	{
		credential: domain.SessionCredential,
		audience:   sessionAudience,
		purpose:    domain.KeyForSessions,
		expires:    true,
	},
}

// findKind returns the first kind of token for which matches returns true.
func findKind(matches func(kind) bool) (kind, bool) {
	for _, each := range kinds {
		if matches(each) {
			return each, true
		}
	}
	return kind{}, false
}

// claims is the payload of a token. It is a struct instead of a map, so the same claims always encode to the same
// token, and a claim of the wrong type is refused.
type claims struct {
	ID        string `json:"jti"`
	Issuer    string `json:"iss"`
	Audience  string `json:"aud"`
	Subject   string `json:"sub"`
	IssuedAt  *int64 `json:"iat"`
	ExpiresAt *int64 `json:"exp,omitempty"`

	// ignoreExpiry hides the expiry from the parser.
	ignoreExpiry bool
}

// Mint signs a token for the claims with the current key of the token's kind. It also returns the id of that key. See
// ports.Tokens. It fails only for incomplete claims, which are a programming error.
func (s *Signer) Mint(_ context.Context, from ports.TokenClaims) (string, domain.ServerKeyID, error) {
	of, body, err := s.bodyOf(from)
	if err != nil {
		return "", domain.ServerKeyID{}, err
	}
	id, key := s.config.Keys.Current(of.purpose)
	token, err := sign(body, id, key[:])
	return token, id, err
}

// MintUnder is like Mint, but signs with the key that has the given id. See ports.Tokens. Its errors are those of Mint
// and those of Keys.ByID.
func (s *Signer) MintUnder(ctx context.Context, id domain.ServerKeyID, from ports.TokenClaims) (string, error) {
	of, body, err := s.bodyOf(from)
	if err != nil {
		return "", err
	}
	key, err := s.config.Keys.ByID(ctx, of.purpose, id)
	if err != nil {
		return "", fmt.Errorf("find the signing key: %w", err)
	}
	return sign(body, id, key[:])
}

// bodyOf checks that the claims are complete and converts them. Times become whole Unix seconds.
func (s *Signer) bodyOf(from ports.TokenClaims) (kind, claims, error) {
	credential := from.Credential
	of, ok := findKind(func(k kind) bool { return k.credential == credential.Kind })
	switch {
	case !ok:
		return kind{}, claims{}, errors.New("tokens: unknown kind of credential")
	case credential.ID.IsZero() || credential.User.IsZero() || from.IssuedAt.IsZero():
		return kind{}, claims{}, errors.New("tokens: id, user and time of issue must be set")
	case of.expires && from.ExpiresAt.IsZero():
		return kind{}, claims{}, errors.New("tokens: a token of this kind must have an expiry")
	}
	issued := from.IssuedAt.Unix()
	body := claims{
		ID:       credential.ID.String(),
		Issuer:   s.config.Installation,
		Audience: of.audience,
		Subject:  credential.User.String(),
		IssuedAt: &issued,
	}
	if !from.ExpiresAt.IsZero() {
		expires := from.ExpiresAt.Unix()
		body.ExpiresAt = &expires
	}
	return of, body, nil
}

// sign returns the signed token. The header names the key (kid). The server can therefore still verify older tokens
// after a new key has become current.
func sign(body claims, id domain.ServerKeyID, key []byte) (string, error) {
	token := jwt.NewWithClaims(algorithm, body)
	token.Header["kid"] = id.String()
	text, err := token.SignedString(key)
	if err != nil {
		return "", fmt.Errorf("sign a token: %w", err)
	}
	return text, nil
}

// expiry returns the time of expiry, or the zero time for a token that never expires.
func (c claims) expiry() time.Time {
	if c.ExpiresAt == nil {
		return time.Time{}
	}
	return time.Unix(*c.ExpiresAt, 0)
}

// GetExpirationTime and the methods below implement jwt.Claims.
func (c claims) GetExpirationTime() (*jwt.NumericDate, error) {
	if c.ignoreExpiry {
		return nil, nil //nolint:nilnil // jwt.Claims defines nil as "no expiry"
	}
	return date(c.ExpiresAt), nil
}

// GetIssuedAt returns the time of issue.
func (c claims) GetIssuedAt() (*jwt.NumericDate, error) { return date(c.IssuedAt), nil }

// GetNotBefore returns nil: tokens are valid immediately.
func (c claims) GetNotBefore() (*jwt.NumericDate, error) { return nil, nil } //nolint:nilnil // as above

// GetIssuer returns the id of the installation.
func (c claims) GetIssuer() (string, error) { return c.Issuer, nil }

// GetSubject returns the id of the user.
func (c claims) GetSubject() (string, error) { return c.Subject, nil }

// GetAudience returns the audience, which names the kind of token.
func (c claims) GetAudience() (jwt.ClaimStrings, error) { return jwt.ClaimStrings{c.Audience}, nil }

// date converts Unix seconds. A nil argument means that the claim is missing. The result is then nil too.
func date(seconds *int64) *jwt.NumericDate {
	if seconds == nil {
		return nil
	}
	return jwt.NewNumericDate(time.Unix(*seconds, 0))
}
