package migrate

import "time"

// Hurry shortens the checks of the server during a migration.
func (m *Migrator) Hurry(interval time.Duration) {
	m.watchInterval, m.config.ConnectTimeout = interval, interval
}
