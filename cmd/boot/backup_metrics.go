package boot

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lockbox-go/lockbox/adapters/backup"
)

const (
	// backupScan is the minimum time between two scans of the folder of backups. The metrics thus show a new backup
	// with a delay of up to backupScan.
	backupScan = time.Minute
	// maxScannedBackups is the maximum number of manifests that a scan reads. The scan can therefore miss a verified
	// backup if the folder has this many newer manifests.
	maxScannedBackups = 50
)

// backupTimes are the times of the newest backup and of the last verification in a folder. A zero time means that there
// is none.
type backupTimes struct{ created, verified time.Time }

// readBackupTimes reads the newest manifests in a folder. It ignores a manifest that is not authentic and a manifest
// whose dump is missing or has the wrong size: an attacker who can write to the folder could forge manifests to hide
// that backups are missing.
func (c Config) readBackupTimes() (backupTimes, error) {
	var times backupTimes
	paths, err := backup.Newest(c.BackupDir, maxScannedBackups)
	if err != nil {
		return times, err
	}
	for _, path := range paths {
		manifest, _, err := c.readManifest(path)
		if err != nil || !backup.HasDump(path, manifest) {
			continue
		}
		if manifest.CreatedAt.After(times.created) {
			times.created = manifest.CreatedAt
		}
		if manifest.VerifiedAt.After(times.verified) {
			times.verified = manifest.VerifiedAt
		}
	}
	return times, nil
}

// backupGauges holds the times that the last scan of the folder found. It is safe for concurrent use.
type backupGauges struct {
	config  Config
	mu      sync.Mutex
	scanned time.Time
	times   backupTimes
}

// registerBackupMetrics adds the metrics of backups. It adds none if the setting BACKUP_DIR is empty.
func registerBackupMetrics(registry *prometheus.Registry, config Config) {
	if config.BackupDir == "" {
		return
	}
	g := &backupGauges{config: config}
	registry.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "lockbox_backup_last_timestamp_seconds",
			Help: "Time of the newest backup in LOCKBOX_BACKUP_DIR, in seconds since 1970; 0 if there is none.",
		}, func() float64 { return seconds(g.read().created) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "lockbox_backup_last_verified_timestamp_seconds",
			Help: "Time of the last successful verification of a backup in LOCKBOX_BACKUP_DIR, " +
				"in seconds since 1970; 0 if there is none.",
		}, func() float64 { return seconds(g.read().verified) }),
	)
}

// read returns the times that the last scan found. If the last scan is older than backupScan, read first scans the
// folder again. If the folder cannot be read, both metrics are 0, so an alert on old backups fires.
func (g *backupGauges) read() backupTimes {
	g.mu.Lock()
	defer g.mu.Unlock()
	if time.Since(g.scanned) > backupScan {
		g.times, _ = g.config.readBackupTimes() // see above
		g.scanned = time.Now()
	}
	return g.times
}

// seconds returns a time in seconds since 1970, and 0 for the zero time.
func seconds(at time.Time) float64 {
	if at.IsZero() {
		return 0
	}
	return float64(at.Unix())
}
