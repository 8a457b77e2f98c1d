package droplets

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// readEnv returns the environment variables in the form NAME=value, sorted by name. The keys argument maps the name of
// each variable to the key of an entry. Each entry is read and audited only once, even if several variables use it. The
// caller must clear the result, even after an error.
func readEnv(ctx context.Context, box ports.DropletBox, keys map[string]string) ([]domain.Secret, error) {
	values := make(map[string][]byte)
	defer func() {
		for _, value := range values {
			clear(value)
		}
	}()
	var env []domain.Secret
	for _, name := range slices.Sorted(maps.Keys(keys)) {
		key := keys[name]
		if _, read := values[key]; !read {
			value, err := box.Read(ctx, key)
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

// aboutVariable adds the name of a variable to err, the error of reading the entry for this variable. It does not
// change errors that concern the whole request.
func aboutVariable(name string, err error) error {
	refusal, ok := errors.AsType[*domain.Error](err)
	if !ok || refusal.Kind == domain.Unavailable || refusal.Kind == domain.RateLimited {
		return err
	}
	about := *refusal
	about.Message, about.Field = "env."+name+": "+refusal.Message, "env."+name
	return &about
}
