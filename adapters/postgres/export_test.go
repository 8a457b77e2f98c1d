package postgres

import (
	"fmt"

	"github.com/jackc/pgx/v5"
)

// ConnConfig returns the settings of a Store's connections.
func ConnConfig(url string) (*pgx.ConnConfig, error) {
	settings, err := poolConfig(Config{URL: url})
	if err != nil {
		return nil, err
	}
	return settings.ConnConfig, nil
}

// HotStatements returns the statements that reads and writes of entries run, by their purpose.
func HotStatements() map[string]string {
	statements := map[string]string{"events": insertEvents, "keys": keysSQL}
	for kind, sql := range lookupStatements {
		name := fmt.Sprintf("lookup by %s for %s", kind.credential, kind.purpose)
		statements[name+", single"], statements[name+", batch"] = sql.single, sql.batch
	}
	for kind := range credentialSources {
		statements[fmt.Sprintf("access by %s", kind)] = accessSQL(kind)
		statements[fmt.Sprintf("writes by %s", kind)] = writeStatements[kind]
	}
	return statements
}
