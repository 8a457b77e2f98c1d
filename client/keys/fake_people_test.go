package keys

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/client"
)

// person is a user of the server with an identity and a memory.
type person struct {
	name   string
	id     *Identity
	holder *Holder
	client *client.Client
}

// join adds a user with an identity to the server.
func (s *server) join(t *testing.T, name string, change ...func(*Config)) *person {
	t.Helper()
	s.mu.Lock()
	if s.users[name] == nil {
		s.users[name] = &user{id: randomID()}
	}
	s.mu.Unlock()
	p := &person{name: name, id: GenerateIdentity()}
	s.change(func() { s.register(name, p.id.Public()) })
	p.connect(t, s, filepath.Join(t.TempDir(), "known"), change...)
	return p
}

// connect gives the person a new client with a memory directory.
func (p *person) connect(t *testing.T, s *server, dir string, change ...func(*Config)) {
	t.Helper()
	config := Config{Identity: p.id, Memory: OpenMemory(dir)}
	for _, each := range change {
		each(&config)
	}
	p.holder = NewHolder(config)
	c, err := client.New(client.Config{
		URL:       s.URL,
		Token:     client.NewSecret(p.name),
		Identity:  p.holder,
		RetryWait: time.Millisecond,
	})
	require.NoError(t, err)
	p.client = c
}

// fresh returns a copy of the person with an empty memory, as on a new machine.
func (p *person) fresh(t *testing.T, s *server, change ...func(*Config)) *person {
	t.Helper()
	other := *p
	other.connect(t, s, filepath.Join(t.TempDir(), "known"), change...)
	return &other
}

// grantTo returns a grant to a person, with the correct fingerprint of that person.
func grantTo(p *person) Grant { return Grant{User: p.name, Fingerprint: p.id.Fingerprint().Display()} }
