//go:build e2e

package e2e

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestSignInTimes measures the durations of sign-ins that fail. Three users have passwords that were hashed with
// cheaper, current and more expensive parameters. A fourth user name is unknown. The medians of the durations for the
// four names must not differ by more than 5 %. The sign-ins are in random order, so that other programs on the machine
// slow all of them equally.
func TestSignInTimes(t *testing.T) {
	const tries, unlimited = 500, "THROTTLE_FREE_ATTEMPTS=1000000"
	settings := func(memory, passes int) []string {
		return []string{unlimited, fmt.Sprint("KDF_MEMORY_KIB=", memory), fmt.Sprint("KDF_TIME=", passes)}
	}
	first := start(t, settings(1024, 1)...)
	root := first.initialize()
	root.user("cheap")
	first.stop()
	second := startOn(t, first.db, settings(6144, 2)...)
	second.as(root.token).user("expensive")
	second.stop()
	s := startOn(t, first.db, settings(4096, 2)...)
	s.as(root.token).user("current")
	names := []string{"cheap", "current", "expensive", "unknown"}
	times := map[string][]time.Duration{}
	for range tries {
		for _, i := range rand.Perm(len(names)) {
			begin := time.Now()
			guess(s, names[i], "wrong-password").expect(401)
			times[names[i]] = append(times[names[i]], time.Since(begin))
		}
	}
	medians := make([]time.Duration, len(names))
	for i, name := range names {
		slices.Sort(times[name])
		medians[i] = times[name][tries/2]
		t.Logf("%s: %s", name, medians[i])
	}
	require.LessOrEqual(t, float64(slices.Max(medians)), 1.05*float64(slices.Min(medians)))
}
