package migrate

import "time"

// Hurry sets the interval and the connect timeout of the checks that a migrator makes of its server.
func (m *Migrator) Hurry(interval time.Duration) {
	m.watchInterval, m.config.ConnectTimeout = interval, interval
}
