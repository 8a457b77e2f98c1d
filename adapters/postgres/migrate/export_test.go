package migrate

import "time"

// Hurry shortens the time between two checks of the server, and the time that a check may take.
func (m *Migrator) Hurry(interval time.Duration) {
	m.watchInterval, m.config.ConnectTimeout = interval, interval
}
