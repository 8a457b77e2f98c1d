package serverkeys

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// moveBatch rows are moved in one transaction: few enough that nobody waits for it long.
const moveBatch = 200

// moving is a rekey at work: it brings what is under retired keys under the one in use.
type moving struct {
	*Service
	purpose  domain.KeyPurpose
	progress Progress
	done     int
	// damaged names what does not authenticate and so cannot be moved.
	damaged []string
}

// cursor is where a pass over the rows has got to.
type cursor struct {
	entry ports.Place
	user  domain.UserID
}

// all goes on with each key until a whole pass moves nothing.
func (m *moving) all(ctx context.Context, retired []ports.ServerKey) error {
	for _, key := range retired {
		for moved := -1; moved != 0; {
			before := m.done
			if err := m.pass(ctx, key.ID); err != nil {
				return err
			}
			moved = m.done - before
		}
	}
	return nil
}

func (m *moving) pass(ctx context.Context, key domain.ServerKeyID) error {
	var at cursor
	for {
		var found, moved int
		var damaged []string
		var next cursor
		err := m.Store.Do(ctx, func(ctx context.Context, repos ports.Repos) (err error) {
			batch := batch{moving: m, repos: repos, key: key, next: at}
			err = batch.run(ctx)
			found, moved, damaged, next = batch.found, batch.moved, batch.damaged, batch.next
			return err
		})
		if err != nil || found == 0 {
			return err
		}
		m.done, at = m.done+moved, next
		for _, name := range damaged {
			if !slices.Contains(m.damaged, name) {
				m.damaged = append(m.damaged, name)
			}
		}
		m.progress(m.done)
	}
}

// damage returns what to tell the operator of rows that could not be moved; nil when there were none.
func (m *moving) damage() error {
	if len(m.damaged) == 0 {
		return nil
	}
	return fmt.Errorf("%d rows do not authenticate and stay as they are, under their old key, which is kept; restore or delete them and run this again: %s",
		len(m.damaged), strings.Join(m.damaged, "; "))
}

// batch is one transaction of a pass.
type batch struct {
	*moving
	repos        ports.Repos
	key          domain.ServerKeyID
	next         cursor
	found, moved int
	damaged      []string
}

func (b *batch) run(ctx context.Context) error {
	switch b.purpose {
	case domain.KeyForEntries:
		return b.entries(ctx)
	case domain.KeyForAccounts:
		return b.passwords(ctx)
	default:
		ended, err := b.repos.SealedRows.DeleteTokens(ctx, b.key)
		b.found, b.moved = ended, ended
		return err
	}
}

func (b *batch) entries(ctx context.Context) error {
	rows, err := b.repos.SealedRows.Entries(ctx, b.key, b.next.entry, moveBatch)
	if err != nil {
		return err
	}
	for _, row := range rows {
		b.found++
		b.next.entry = row.Place
		current, envelope, err := b.Entries.Rewrap(ctx, row.Place, row.Sealed.Envelope)
		if ports.IsTampered(err) {
			b.damaged = append(b.damaged, fmt.Sprintf("box %s, entry %s, version %d", row.Place.Box, row.Place.Key, row.Place.Version))
			continue
		}
		if err != nil {
			return err
		}
		if err := b.repos.SealedRows.ReplaceEnvelope(ctx, row, current, envelope); err != nil {
			return err
		}
		b.moved++
	}
	return nil
}

func (b *batch) passwords(ctx context.Context) error {
	rows, err := b.repos.SealedRows.Passwords(ctx, b.key, b.next.user, moveBatch)
	if err != nil {
		return err
	}
	for _, row := range rows {
		b.found++
		b.next.user = row.User
		phc, err := b.Account.OpenAccount(ctx, ports.PasswordPurpose, row.User, row.Sealed)
		if ports.IsTampered(err) {
			b.damaged = append(b.damaged, fmt.Sprintf("password of user %s", row.User))
			continue
		}
		if err != nil {
			return err
		}
		current, sealed, err := b.Account.SealAccount(ctx, ports.PasswordPurpose, row.User, phc)
		if err != nil {
			return err
		}
		if err := b.repos.SealedRows.ReplacePassword(ctx, row, current, sealed); err != nil {
			return err
		}
		b.moved++
	}
	return nil
}
