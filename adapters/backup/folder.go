package backup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// stalePartial is the age after which Prepare removes a partial file. A program that left a file of this age was
// certainly killed.
const stalePartial = 24 * time.Hour

// Prepare creates the folder of backups with mode 0700 if the folder is missing. It also removes partial files that
// killed programs left in the folder.
func Prepare(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil || !info.Mode().IsRegular() || !strings.HasSuffix(entry.Name(), partialSuffix) {
			continue
		}
		if time.Since(info.ModTime()) > stalePartial {
			if err := os.Remove(filepath.Join(dir, entry.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// Name returns the name, without a suffix, of a backup that is created at the given time. Names sort by time.
func Name(at time.Time) string { return "lockbox-" + at.UTC().Format("20060102T150405Z") }

// ManifestPath returns the path of the manifest of a backup.
func ManifestPath(dir, name string) string { return filepath.Join(dir, name+manifestSuffix) }

// ErrNoBackup means that a folder contains no manifest.
var ErrNoBackup = errors.New("there is no backup: create one with lockbox backup create")

// Newest returns the paths of the newest manifests in a folder. The argument limit is the maximum number of paths. The
// newest manifest comes first.
func Newest(dir string, limit int) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var paths []string
	for _, entry := range slices.Backward(entries) { // ReadDir sorts by name
		if strings.HasSuffix(entry.Name(), manifestSuffix) && len(paths) < limit {
			paths = append(paths, filepath.Join(dir, entry.Name()))
		}
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("%s: %w", dir, ErrNoBackup)
	}
	return paths, nil
}
