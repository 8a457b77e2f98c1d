package identity

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// Initialize asks for the first admin, who becomes the owner of the system.
type Initialize struct {
	Username string
	Password string
	// Token is compared with the InitToken of the configuration.
	Token string
}

// Initialize makes the owner and returns an API key for it. It works once ever: Conflict with code
// already_initialized afterwards, whatever else is asked at the same moment.
func (s *Service) Initialize(ctx context.Context, by domain.Requester, in Initialize) (apiKey string, err error) {
	if err := s.checkInitToken(ctx, by, in.Token); err != nil {
		return "", err
	}
	owner, err := s.Store.Read().System.Owner(ctx)
	if err != nil {
		return "", err
	}
	if !owner.IsZero() {
		return "", domain.ErrAlreadyInitialized
	}
	user, phc, err := s.newUser(ctx, in.Username, in.Password, domain.RoleAdmin)
	if err != nil {
		return "", err
	}
	err = s.Store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
		if owner, err := repos.System.Lock(ctx); err != nil {
			return err
		} else if !owner.IsZero() {
			return domain.ErrAlreadyInitialized
		}
		if apiKey, err = s.addUser(ctx, repos, user, phc); err != nil {
			return err
		}
		if err := repos.System.SetOwner(ctx, user.ID); err != nil {
			return err
		}
		actor := domain.Caller{UserID: user.ID, Name: user.Name}
		return repos.Events.Append(ctx, s.event(domain.ActionInitialize, by, actor).To(string(user.Name)))
	})
	return apiKey, err
}

// checkInitToken compares digests, whose lengths are equal, so that the time tells nothing of the token. Wrong tokens
// are counted; that there was none is no guess.
func (s *core) checkInitToken(ctx context.Context, by domain.Requester, token string) error {
	wanted := s.InitToken.Bytes()
	if len(wanted) == 0 {
		return nil
	}
	if token == "" {
		return errInitToken
	}
	try, err := s.reserveInit(ctx, by)
	if err != nil {
		return err
	}
	want, got := sha256.Sum256(wanted), sha256.Sum256([]byte(token))
	if subtle.ConstantTimeCompare(want[:], got[:]) != 1 {
		return errInitToken
	}
	s.release(ctx, try)
	return nil
}

var errInitToken = domain.Refuse(domain.Unauthenticated, "init_token_required",
	"the header X-Init-Token must hold the token that this server printed or was configured with")

// newUser checks what a new user was asked to be and hashes the password, which is slow.
func (s *core) newUser(ctx context.Context, username, password string, role domain.Role) (domain.User, []byte, error) {
	name, err := domain.ParseUserName(username)
	if err != nil {
		return domain.User{}, nil, err
	}
	secret, err := domain.ParseNewPassword(password, s.MinPasswordLength)
	if err != nil {
		return domain.User{}, nil, err
	}
	defer secret.Clear()
	phc, err := s.Passwords.Hash(ctx, secret)
	user := domain.NewUser(s.IDs.New(), name, role, s.Clock.Now())
	user.Spelling = username
	return user, phc, err
}

// addUser stores a new user with a first API key, and returns that key.
func (s *core) addUser(ctx context.Context, repos ports.Repos, user domain.User, phc []byte) (string, error) {
	password, err := s.sealPassword(ctx, user.ID, phc)
	if err != nil {
		return "", err
	}
	if err := repos.Users.Add(ctx, user, password); err != nil {
		return "", err
	}
	return s.addAPIKey(ctx, repos, domain.APIKey{ID: s.IDs.New(), User: user.ID, CreatedAt: s.Clock.Now()})
}

// addAPIKey stores an API key and returns the key itself.
func (s *core) addAPIKey(ctx context.Context, repos ports.Repos, key domain.APIKey) (string, error) {
	token, signedBy, err := s.Tokens.Mint(ctx, apiKeyClaims(key))
	if err != nil {
		return "", err
	}
	key.SignedBy = signedBy
	return token, repos.APIKeys.Add(ctx, key)
}

func apiKeyClaims(key domain.APIKey) ports.TokenClaims {
	return ports.TokenClaims{
		Credential: domain.Credential{Kind: domain.APIKeyCredential, ID: key.ID, User: key.User},
		IssuedAt:   key.CreatedAt,
		ExpiresAt:  key.ExpiresAt,
	}
}
