package boot

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// Status is the result of a check.
type Status string

// The possible results of a check, from best to worst. A check is skipped if it does not apply or if it depends on an
// earlier check that failed.
const (
	StatusOK      Status = "ok"
	StatusSkipped Status = "skipped"
	StatusWarning Status = "warning"
	StatusError   Status = "error"
)

// Check is one row of the output of `lockbox doctor`. Scripts rely on the names of the checks and on the words for the
// statuses, so these must not change.
type Check struct {
	Name   string `json:"name"`
	Status Status `json:"status"`
	// Detail describes the result. Remedy describes how to fix a problem, or is "" if there is nothing to do. Neither
	// contains a secret.
	Detail string `json:"detail"`
	Remedy string `json:"remedy,omitempty"`
}

func ok(name, detail string) Check { return Check{Name: name, Status: StatusOK, Detail: detail} }
func skipped(name, detail string) Check {
	return Check{Name: name, Status: StatusSkipped, Detail: detail}
}

func warning(name, detail, remedy string) Check {
	return Check{
		Name:   name,
		Status: StatusWarning,
		Detail: detail,
		Remedy: remedy,
	}
}

func failed(name, detail, remedy string) Check {
	return Check{
		Name:   name,
		Status: StatusError,
		Detail: detail,
		Remedy: remedy,
	}
}

// doctorTimeout limits the total time of all checks that need the database.
const doctorTimeout = 20 * time.Second

// Doctor checks the settings in environ and everything that a server with these settings needs. The elements of environ
// have the form NAME=value. A server may run at the same time, because Doctor changes no data: it only inserts test
// rows and deletes them in the same transaction. After a failed check, Doctor continues with the next one.
func Doctor(ctx context.Context, environ []string) []Check {
	config, unknown, reading := ReadEnvironment(environ)
	checks := []Check{checkSettings(config, unknown, reading), checkMemory(config)}
	ctx, cancel := context.WithTimeout(ctx, doctorTimeout)
	defer cancel()
	checks = append(checks, config.checkDatabase(ctx)...)
	return append(checks, config.checkCertificate(time.Now()), checkFiles(environ), config.checkBackups(time.Now()))
}

// checkSettings reports all mistakes in the settings together.
func checkSettings(config Config, unknown []string, reading error) Check {
	const name = "settings"
	if err := AllMistakes(reading, config.Validate(), unknown); err != nil {
		return failed(name, strings.ReplaceAll(err.Error(), "\n", "; "),
			"correct the settings; docs/settings.md lists them")
	}
	if len(unknown) > 0 {
		return warning(name, "not settings: "+strings.Join(unknown, ", "), "correct or remove these variables")
	}
	return ok(name, "valid")
}

// checkMemory reports the limits that a server would compute from its memory limit. This check never fails.
func checkMemory(config Config) Check {
	bounds := config.bounds()
	return ok("memory", fmt.Sprintf("%d MiB of memory allow %d connections, %d requests in flight (%d of one user), "+
		"and %d key derivations at the same time",
		config.memoryBudget()>>20, bounds.Connections, bounds.Requests, bounds.RequestsPerUser,
		config.maxDerivations()))
}
