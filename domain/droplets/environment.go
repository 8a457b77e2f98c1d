package droplets

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// readEnv reads the entries that the environment is made of, each once and each on record, and returns NAME=value in the
// order of the names. The caller clears it, also after an error.
func (s *Service) readEnv(ctx context.Context, by domain.Requester, in AddDroplet) ([]domain.Secret, error) {
	values := make(map[string][]byte)
	defer func() {
		for _, value := range values {
			clear(value)
		}
	}()
	var env []domain.Secret
	for _, name := range slices.Sorted(maps.Keys(in.Env)) {
		key := in.Env[name]
		if _, read := values[key]; !read {
			value, err := s.Vault.Read(ctx, by,
				ports.EntryAddress{Box: in.Box, Key: key, EncryptionKey: in.EncryptionKey})
			if err != nil {
				return env, aboutVariable(name, err)
			}
			values[key] = value
		}
		variable, err := domain.EnvString(name, values[key])
		if err != nil {
			return env, err
		}
		env = append(env, variable)
	}
	return env, domain.CheckEnvSize(env)
}

// aboutVariable says which variable a refusal is about.
func aboutVariable(name string, err error) error {
	refusal, ok := errors.AsType[*domain.Error](err)
	if !ok || refusal.Kind == domain.Unavailable || refusal.Kind == domain.RateLimited {
		return err
	}
	about := *refusal
	about.Message, about.Field = "env."+name+": "+refusal.Message, "env."+name
	return &about
}
