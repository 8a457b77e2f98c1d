package sealing

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// ErrWrongSecret says that the secret that was given does not open this database's keys. The error that wraps it says
// which keys, and names the settings.
var ErrWrongSecret = errors.New("wrong secret")

const (
	secretSetting   = "LOCKBOX_SECRET_KEY"
	previousSetting = "LOCKBOX_SECRET_KEY_PREVIOUS"
)

// wrongSecret explains, to whoever starts the program, which of the secrets is at fault.
func (k *Keyring) wrongSecret(opened []*openKey, shut []ports.ServerKey) error {
	var names []string
	for _, line := range shut {
		names = append(names, string(line.Purpose)+" "+strconv.Itoa(line.Generation))
	}
	list := fmt.Sprintf("%d of %d server keys do not open (purpose and generation: %s)",
		len(shut), len(opened)+len(shut), strings.Join(names, ", "))
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
		why = secretSetting + " is not the secret of this database; if the secret is being changed, set " +
			previousSetting + " to the one before"
	case byCurrent == 0:
		why = previousSetting + " opens some keys and " + secretSetting + " opens none of the others, so " +
			secretSetting + " is the wrong one"
	case hasPrevious:
		why = "these keys belong to neither " + secretSetting + " nor " + previousSetting +
			", or their lines were damaged"
	default:
		why = "these keys do not belong to " + secretSetting +
			", or their lines were damaged; if the secret is being " +
			"changed, set " + previousSetting + " to the one before"
	}
	return fmt.Errorf("%w: %s: %s", ErrWrongSecret, list, why)
}

// NewKey makes a fresh key of a purpose, wrapped under the current secret. It is not stored, and not in the ring until
// it was stored and the ring reloaded.
func (k *Keyring) NewKey(purpose domain.KeyPurpose, generation int) (ports.ServerKey, error) {
	id := domain.ServerKeyID(k.config.IDs.New())
	var key [keyBytes]byte
	defer clear(key[:])
	if _, err := io.ReadFull(k.config.Random, key[:]); err != nil {
		return ports.ServerKey{}, fmt.Errorf("read randomness: %w", err)
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

// Rewrap returns the keys wrapped anew under the current secret. The keys themselves stay, so that everything made with
// them keeps working. Error: ErrWrongSecret as in OpenKeyring.
func (k *Keyring) Rewrap(keys []ports.ServerKey) ([]ports.ServerKey, error) {
	opened, err := k.openAll(keys)
	if err != nil {
		return nil, err
	}
	anew := make([]ports.ServerKey, 0, len(opened))
	for _, each := range opened {
		line := each.ServerKey
		if line.Wrapped, err = k.current.wrap(k.config.Random, line.ID, line.Purpose, each.key[:]); err != nil {
			return nil, err
		}
		anew = append(anew, line)
	}
	return anew, nil
}

// Status lists the keys in memory: by purpose, in the order in which people are shown them, then by generation.
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
