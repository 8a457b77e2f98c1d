package sealing

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// ErrWrongSecret means that at least one server key of the database cannot be unwrapped with the configured secrets. An
// error that wraps ErrWrongSecret names these keys, and the settings to check.
var ErrWrongSecret = errors.New("wrong secret")

const (
	secretSetting   = "LOCKBOX_SECRET_KEY"
	previousSetting = "LOCKBOX_SECRET_KEY_PREVIOUS"
)

// wrongSecret returns an error that lists the server keys in the argument failed. The error also states the probable
// cause.
func (k *Keyring) wrongSecret(opened []*openKey, failed []ports.ServerKey) error {
	var names []string
	for _, row := range failed {
		names = append(names, string(row.Purpose)+" "+strconv.Itoa(row.Generation))
	}
	list := fmt.Sprintf("%d of %d server keys cannot be unwrapped (purpose and generation: %s)",
		len(failed), len(opened)+len(failed), strings.Join(names, ", "))
	byCurrent := 0
	for _, each := range opened {
		if !each.underPrevious {
			byCurrent++
		}
	}
	hasPrevious := k.previous.aead != nil
	var why string
	switch {
	case len(opened) == 0 && hasPrevious:
		why = "neither " + secretSetting + " nor " + previousSetting + " is the secret of this database"
	case len(opened) == 0:
		why = secretSetting + " is not the secret of this database; during a change of the secret, set " +
			previousSetting + " to the previous secret"
	case byCurrent == 0:
		why = previousSetting + " unwraps some keys and " + secretSetting + " unwraps none, so " + secretSetting +
			" is wrong"
	case hasPrevious:
		why = "the rows of these keys are damaged, or the keys need a secret other than " + secretSetting +
			" and " + previousSetting
	default:
		why = "the rows of these keys are damaged, or the keys need a secret other than " + secretSetting + "; " +
			"during a change of the secret, set " + previousSetting + " to the previous secret"
	}
	return fmt.Errorf("%w: %s: %s", ErrWrongSecret, list, why)
}

// NewKey returns a new random key of a purpose, wrapped under the current secret. It does not store the key. The ring
// uses the key after the caller has stored it and called Reload.
func (k *Keyring) NewKey(purpose domain.KeyPurpose, generation int) (ports.ServerKey, error) {
	id := domain.ServerKeyID(k.config.IDs.New())
	var key [keyBytes]byte
	defer clear(key[:])
	if _, err := io.ReadFull(k.config.Random, key[:]); err != nil {
		return ports.ServerKey{}, fmt.Errorf("read random bytes: %w", err)
	}
	wrapped, err := k.current.wrap(k.config.Random, id, purpose, key[:])
	if err != nil {
		return ports.ServerKey{}, err
	}
	return ports.ServerKey{
		ID:         id,
		Purpose:    purpose,
		Generation: generation,
		Wrapped:    wrapped,
		CreatedAt:  k.config.Clock.Now(),
	}, nil
}

// firstKeys returns a new key of generation 1 for each purpose that has no key.
func (k *Keyring) firstKeys(rows []ports.ServerKey) ([]ports.ServerKey, error) {
	var missing []ports.ServerKey
	for _, purpose := range domain.KeyPurposes() {
		if slices.ContainsFunc(rows, func(row ports.ServerKey) bool { return row.Purpose == purpose }) {
			continue
		}
		first, err := k.NewKey(purpose, 1)
		if err != nil {
			return nil, err
		}
		missing = append(missing, first)
	}
	return missing, nil
}

// Rewrap wraps the given keys again, under the current secret, and returns the result without storing it. The keys
// themselves do not change, so sealed data and tokens stay valid. Like OpenKeyring, it returns an error that wraps
// ErrWrongSecret if a key cannot be unwrapped.
func (k *Keyring) Rewrap(keys []ports.ServerKey) ([]ports.ServerKey, error) {
	opened, err := k.openAll(keys)
	if err != nil {
		return nil, err
	}
	rewrapped := make([]ports.ServerKey, 0, len(opened))
	for _, each := range opened {
		row := each.ServerKey
		if row.Wrapped, err = k.current.wrap(k.config.Random, row.ID, row.Purpose, each.key[:]); err != nil {
			return nil, err
		}
		rewrapped = append(rewrapped, row)
	}
	return rewrapped, nil
}

// Status describes the keys in memory without their key material, sorted by purpose and then by generation.
func (k *Keyring) Status() []ports.KeyStatus {
	keys := k.ring.Load().ordered()
	all := make([]ports.KeyStatus, 0, len(keys))
	for _, each := range keys {
		all = append(all, ports.KeyStatus{
			ID:            each.ID,
			Purpose:       each.Purpose,
			Generation:    each.Generation,
			CreatedAt:     each.CreatedAt,
			RetiredAt:     each.RetiredAt,
			UnderPrevious: each.underPrevious,
		})
	}
	return all
}
