package postgres

import (
	"fmt"

	"github.com/jackc/pgx/v5"
)

// ConnConfig is how the connections of a Store are made.
func ConnConfig(url string) (*pgx.ConnConfig, error) {
	settings, err := poolConfig(Config{URL: url})
	if err != nil {
		return nil, err
	}
	return settings.ConnConfig, nil
}

// HotStatements are the texts of what reads and writes of entries run, by what they are for.
func HotStatements() map[string]string {
	texts := map[string]string{"events": insertEvents, "keys": keysSQL}
	for what, text := range factsSQL {
		name := fmt.Sprintf("facts by %s for %s", what.kind, what.wanted)
		texts[name+", alone"], texts[name+", together"] = text.one, text.many
	}
	for kind := range lookUps {
		texts[fmt.Sprintf("access by %s", kind)] = accessSQL(kind)
		texts[fmt.Sprintf("replacements by %s", kind)] = replaceSQL[kind]
	}
	return texts
}
