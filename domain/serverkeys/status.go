package serverkeys

import "github.com/lockbox-go/lockbox/ports"

// Status lists the server keys by purpose and generation.
func (s *Service) Status() []ports.KeyStatus { return s.config.Keyring.Status() }
