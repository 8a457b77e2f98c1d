// Package tokens signs and verifies API keys and the tokens of sign-in: JSON Web Tokens (RFC 7519) under HS512, held to
// the advice of RFC 8725. Each kind has its own audience and its own server keys, so that one cannot pass for another.
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

// Keys is where server keys come from.
type Keys interface {
	// Current returns the key for new tokens of a purpose.
	Current(purpose domain.KeyPurpose) (domain.ServerKeyID, [32]byte)
	// ByID returns a key of a purpose that may still verify. NotFound when there is none; it must be safe to ask for
	// ids that anybody made up.
	ByID(ctx context.Context, purpose domain.KeyPurpose, id domain.ServerKeyID) ([32]byte, error)
}

// Config is what a Signer needs; all of it must be set.
type Config struct {
	Keys  Keys
	Clock ports.Clock
	// Installation identifies this Lockbox; it is the issuer of its tokens, and no other's are taken.
	Installation string
}

// Signer signs and verifies tokens. It implements ports.Tokens and is safe for concurrent use.
type Signer struct {
	config Config
	parser *jwt.Parser
}

// New makes a signer. Errors: something of the configuration is missing.
func New(config Config) (*Signer, error) {
	if config.Keys == nil || config.Clock == nil || config.Installation == "" {
		return nil, errors.New("tokens need keys, a clock and the installation that issues them")
	}
	return &Signer{config: config, parser: jwt.NewParser(
		jwt.WithValidMethods([]string{algorithm.Alg()}),
		jwt.WithStrictDecoding(),
		jwt.WithIssuer(config.Installation),
		jwt.WithAudience(apiKeyAudience, sessionAudience),
		jwt.WithTimeFunc(config.Clock.Now),
	)}, nil
}

var algorithm = jwt.SigningMethodHS512

const (
	apiKeyAudience  = "lockbox/api-key"
	sessionAudience = "lockbox/session"
)

// kind is what goes together for one kind of token.
type kind struct {
	credential domain.CredentialKind
	audience   string
	purpose    domain.KeyPurpose
	// expires: a token of this kind must say when it ends.
	expires bool
}

var kinds = []kind{
	{domain.APIKeyCredential, apiKeyAudience, domain.KeyForAPIKeys, false},
	{domain.SessionCredential, sessionAudience, domain.KeyForSessions, true},
}

func kindOf(fits func(kind) bool) (kind, bool) {
	for _, each := range kinds {
		if fits(each) {
			return each, true
		}
	}
	return kind{}, false
}

// claims is the body of a token. It has fixed fields and not a map, so that the same claims always give the same token,
// and so that a claim of another type than here is refused.
type claims struct {
	ID        string `json:"jti"`
	Issuer    string `json:"iss"`
	Audience  string `json:"aud"`
	Subject   string `json:"sub"`
	IssuedAt  *int64 `json:"iat"`
	ExpiresAt *int64 `json:"exp,omitempty"`

	// evenExpired hides the expiry from the parser.
	evenExpired bool
}

// Mint signs claims under the current key of their kind. See ports.Tokens. Errors: claims that are not complete, which
// is a mistake of the program.
func (s *Signer) Mint(_ context.Context, from ports.TokenClaims) (string, domain.ServerKeyID, error) {
	of, body, err := s.bodyOf(from)
	if err != nil {
		return "", domain.ServerKeyID{}, err
	}
	id, key := s.config.Keys.Current(of.purpose)
	token, err := sign(body, id, key[:])
	return token, id, err
}

// MintUnder signs claims under a given key of their kind. See ports.Tokens. Errors besides those there: those of Mint,
// and what the key ring returns when it cannot read a key that is not in memory.
func (s *Signer) MintUnder(ctx context.Context, id domain.ServerKeyID, from ports.TokenClaims) (string, error) {
	of, body, err := s.bodyOf(from)
	if err != nil {
		return "", err
	}
	key, err := s.config.Keys.ByID(ctx, of.purpose, id)
	if err != nil {
		return "", fmt.Errorf("find the key of the token: %w", err)
	}
	return sign(body, id, key[:])
}

func (s *Signer) bodyOf(from ports.TokenClaims) (kind, claims, error) {
	credential := from.Credential
	of, ok := kindOf(func(k kind) bool { return k.credential == credential.Kind })
	switch {
	case !ok:
		return kind{}, claims{}, errors.New("there are no tokens of this kind of credential")
	case credential.ID.IsZero() || credential.User.IsZero() || from.IssuedAt.IsZero():
		return kind{}, claims{}, errors.New("a token needs an id, a user and a time of issue")
	case of.expires && from.ExpiresAt.IsZero():
		return kind{}, claims{}, errors.New("a token of this kind must expire")
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

func sign(body claims, id domain.ServerKeyID, key []byte) (string, error) {
	token := jwt.NewWithClaims(algorithm, body)
	token.Header["kid"] = id.String()
	text, err := token.SignedString(key)
	if err != nil {
		return "", fmt.Errorf("sign a token: %w", err)
	}
	return text, nil
}

// GetExpirationTime and the methods below are what the parser asks claims for.
func (c claims) GetExpirationTime() (*jwt.NumericDate, error) {
	if c.evenExpired {
		return nil, nil //nolint:nilnil // how the library spells "none"
	}
	return date(c.ExpiresAt), nil
}

// GetIssuedAt returns when the token was made.
func (c claims) GetIssuedAt() (*jwt.NumericDate, error) { return date(c.IssuedAt), nil }

// GetNotBefore returns none.
func (c claims) GetNotBefore() (*jwt.NumericDate, error) { return nil, nil } //nolint:nilnil // as above

// GetIssuer returns the installation.
func (c claims) GetIssuer() (string, error) { return c.Issuer, nil }

// GetSubject returns the user.
func (c claims) GetSubject() (string, error) { return c.Subject, nil }

// GetAudience returns the one audience.
func (c claims) GetAudience() (jwt.ClaimStrings, error) { return jwt.ClaimStrings{c.Audience}, nil }

func date(seconds *int64) *jwt.NumericDate {
	if seconds == nil {
		return nil
	}
	return jwt.NewNumericDate(time.Unix(*seconds, 0))
}
