package serverkeys

import (
	"context"
	"fmt"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// walk is one rekey's way over what is under the old keys.
type walk struct {
	purpose  domain.KeyPurpose
	progress Progress
	done     int
	// forged is what did not open on the last pass, by the key it says it is under. A rekey follows a compromise, when somebody may have changed rows
	// as well: they must not keep all others under a key that is known.
	forged map[domain.ServerKeyID][]error
}

// place is where a batch goes on, in the order of the kind of rows that it is about.
type place struct {
	entry ports.Place
	user  domain.UserID
	code  domain.TOTPID
}

// batch is what became of up to rekeyBatch rows.
type batch struct {
	seen, moved int
	last        place
	forged      []error
}

// moveAll goes on with each key until a whole pass moves nothing from under it.
func (s *Service) moveAll(ctx context.Context, w *walk, retired []ports.ServerKey) error {
	w.forged = make(map[domain.ServerKeyID][]error)
	for _, key := range retired {
		for {
			moved, forged, err := s.pass(ctx, w, key.ID)
			if err != nil {
				return err
			}
			if moved == 0 {
				w.forged[key.ID] = forged
				break
			}
		}
	}
	return nil
}

// pass walks once over all that is under a key.
func (s *Service) pass(ctx context.Context, w *walk, key domain.ServerKeyID) (moved int, forged []error, err error) {
	var after place
	for {
		next, err := s.moveBatch(ctx, w.purpose, key, after)
		if err != nil || next.seen == 0 {
			return moved, forged, err
		}
		after, forged = next.last, append(forged, next.forged...)
		moved += next.moved
		w.done += next.moved
		w.progress(w.done)
	}
}

func (s *Service) moveBatch(ctx context.Context, purpose domain.KeyPurpose, key domain.ServerKeyID,
	after place) (next batch, err error) {
	err = s.Store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
		next = batch{last: after} // anew when it is run again
		switch purpose {
		case domain.KeyForEntries:
			return s.moveEntries(ctx, repos, key, &next)
		case domain.KeyForAccounts:
			return s.moveAccounts(ctx, repos, key, &next)
		default:
			ended, err := repos.SealedRows.DeleteTokens(ctx, key)
			next.seen, next.moved = ended, ended
			return err
		}
	})
	return next, err
}

func (s *Service) moveEntries(ctx context.Context, repos ports.Repos, key domain.ServerKeyID, b *batch) error {
	rows, err := repos.SealedRows.Entries(ctx, key, b.last.entry, rekeyBatch)
	if err != nil {
		return err
	}
	for _, row := range rows {
		b.last.entry = row.Place
		current, envelope, err := s.Entries.Rewrap(ctx, row.Place, row.Sealed.Envelope)
		if ports.IsTampered(err) {
			b.skip(fmt.Errorf("box %s, entry %s, version %d: %w", row.Place.Box, row.Place.Key, row.Place.Version, err))
			continue
		}
		if err != nil {
			return err
		}
		if err := repos.SealedRows.ReplaceEnvelope(ctx, row, current, envelope); err != nil {
			return err
		}
		b.moved++
	}
	b.seen = len(rows)
	return nil
}

func (s *Service) movePasswords(ctx context.Context, repos ports.Repos, key domain.ServerKeyID, b *batch) error {
	rows, err := repos.SealedRows.Passwords(ctx, key, b.last.user, rekeyBatch)
	if err != nil {
		return err
	}
	for _, row := range rows {
		b.last.user = row.User
		phc, err := s.Account.OpenAccount(ctx, ports.PasswordPurpose, row.User, row.Sealed)
		if ports.IsTampered(err) {
			b.skip(fmt.Errorf("password of user %s: %w", row.User, err))
			continue
		}
		if err != nil {
			return err
		}
		current, sealed, err := s.Account.SealAccount(ctx, ports.PasswordPurpose, row.User, phc)
		if err != nil {
			return err
		}
		if err := repos.SealedRows.ReplacePassword(ctx, row, current, sealed); err != nil {
			return err
		}
		b.moved++
	}
	b.seen = len(rows)
	return nil
}

// moveAccounts moves what is kept of users: all passwords, and then the secrets of one-time codes.
func (s *Service) moveAccounts(ctx context.Context, repos ports.Repos, key domain.ServerKeyID, b *batch) error {
	if err := s.movePasswords(ctx, repos, key, b); err != nil || b.seen > 0 {
		return err
	}
	return s.moveCodes(ctx, repos, key, b)
}

func (s *Service) moveCodes(ctx context.Context, repos ports.Repos, key domain.ServerKeyID, b *batch) error {
	rows, err := repos.SealedRows.Codes(ctx, key, b.last.code, rekeyBatch)
	for _, row := range rows {
		b.last.code = row.Code.ID
		secret, err := s.Account.OpenAccount(ctx, ports.TOTPPurpose, row.Code.User, row.Sealed)
		if ports.IsTampered(err) {
			b.skip(fmt.Errorf("one-time codes of user %s: %w", row.Code.User, err))
			continue
		}
		if err != nil {
			return err
		}
		current, sealed, err := s.Account.SealAccount(ctx, ports.TOTPPurpose, row.Code.User, secret)
		clear(secret)
		if err != nil {
			return err
		}
		if err := repos.SealedRows.ReplaceCode(ctx, row, current, sealed); err != nil {
			return err
		}
		b.moved++
	}
	b.seen = len(rows)
	return err
}

func (b *batch) skip(forged error) { b.forged = append(b.forged, forged) }

// ForgedError lists what did not open.
type ForgedError struct{ Rows []error }

// Error lists the first of them.
func (e *ForgedError) Error() string {
	const most = 20
	text := fmt.Sprintf("%d of what was under the old key did not open; somebody has changed it, and it is lost:",
		len(e.Rows))
	for _, each := range e.Rows[:min(most, len(e.Rows))] {
		text += "\n" + each.Error()
	}
	if len(e.Rows) > most {
		text += "\n…"
	}
	return text
}

// forgery returns the error about what the last pass met; nil when all was as it should be.
func (w *walk) forgery() error {
	var rows []error
	for _, forged := range w.forged {
		rows = append(rows, forged...)
	}
	if len(rows) == 0 {
		return nil
	}
	return &ForgedError{Rows: rows}
}
