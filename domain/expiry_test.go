package domain_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
)

func TestParseExpiry(t *testing.T) {
	t.Parallel()
	const now = "2024-01-31T10:20:30Z"
	for _, test := range []struct{ now, text, want string }{
		{now, "10:12:10:00", "2024-02-10T22:30:30Z"}, // d:hh:mm:ss
		{now, "10.12:10:00", "2024-02-10T22:30:30Z"}, // d.hh:mm:ss
		{now, "10.12:10", "2024-02-10T22:30:30Z"},
		{now, "12:10:00", "2024-01-31T22:30:30Z"},
		{now, "12:10", "2024-01-31T22:30:30Z"},
		{now, "1:2", "2024-01-31T11:22:30Z"},
		{now, "0:0:0:1", "2024-01-31T10:20:31Z"},
		{now, "00:00:01", "2024-01-31T10:20:31Z"},
		{now, "23:59:59", "2024-02-01T10:20:29Z"},
		{now, "  00:00:01\t", "2024-01-31T10:20:31Z"},
		{now, "0.00:00:00.001", "2024-01-31T10:20:31Z"}, // rounded up to a whole second
		{now, "00:00:01.5", "2024-01-31T10:20:32Z"},
		{now, "00:00:01.0000000", "2024-01-31T10:20:31Z"},
		{now, "00:00:00.0000001", "2024-01-31T10:20:31Z"},
		{now, "109575.00:00:00", "2324-02-03T10:20:30Z"}, // 300 years in days, more than a time.Duration holds
		{"2024-01-31T10:20:30.4Z", "00:00:01", "2024-01-31T10:20:32Z"},
		{"2024-01-31T10:20:30.4Z", "00:00:00.6", "2024-01-31T10:20:31Z"},
		{"2024-01-31T12:20:30+02:00", "00:00:01", "2024-01-31T10:20:31Z"},

		{now, "90d", "2024-04-30T10:20:30Z"},
		{now, "2w", "2024-02-14T10:20:30Z"},
		{now, "1d12h", "2024-02-01T22:20:30Z"},
		{now, "1w1d1h1m1s", "2024-02-08T11:21:31Z"},
		{now, "36h", "2024-02-01T22:20:30Z"},
		{now, "90m", "2024-01-31T11:50:30Z"},
		{now, "3600s", "2024-01-31T11:20:30Z"},
		{now, " 90d\n", "2024-04-30T10:20:30Z"},
		{now, "109575d", "2324-02-03T10:20:30Z"},

		{now, "P10DT12H10M", "2024-02-10T22:30:30Z"},
		{now, "P2W", "2024-02-14T10:20:30Z"},
		{now, "PT36H", "2024-02-01T22:20:30Z"},
		{now, "PT90M", "2024-01-31T11:50:30Z"},
		{now, "PT0.5S", "2024-01-31T10:20:31Z"},
		{now, "PT1,5S", "2024-01-31T10:20:32Z"},
		{now, "PT0.5H", "2024-01-31T10:50:30Z"},
		{now, "PT1,25M", "2024-01-31T10:21:45Z"},
		{now, "P0.5D", "2024-01-31T22:20:30Z"},
		{now, "P1DT0.5H", "2024-02-01T10:50:30Z"},
		{now, "P0.5W", "2024-02-03T22:20:30Z"},
		{now, "P0.123456789D", "2024-01-31T13:18:17Z"},
		{now, "P0.5Y", "2024-07-31T10:20:30Z"},
		{"2024-02-01T00:00:00Z", "P0.5M", "2024-02-15T12:00:00Z"}, // half of 29 days
		{"2024-01-01T00:00:00Z", "P1.5M", "2024-02-15T12:00:00Z"},
		{"2024-01-01T00:00:00Z", "P0.125Y", "2024-02-15T12:00:00Z"}, // 1.5 months
		{now, "P1Y2M3DT4H5M6S", "2025-04-03T14:25:36Z"},
		{now, "P1M", "2024-03-02T10:20:30Z"}, // 31 February 2024 is two days after the 29th
		{now, "P13M", "2025-03-03T10:20:30Z"},
		{now, "P300Y", "2324-01-31T10:20:30Z"},
		{"2024-02-29T00:00:00Z", "P1Y", "2025-03-01T00:00:00Z"},
		{"2024-02-29T00:00:00Z", "P4Y", "2028-02-29T00:00:00Z"},
		{"2024-02-28T00:00:00Z", "P1D", "2024-02-29T00:00:00Z"},
		{"2023-02-28T00:00:00Z", "P1D", "2023-03-01T00:00:00Z"},
		{"2023-12-31T23:59:59Z", "PT1S", "2024-01-01T00:00:00Z"},

		{now, "2024-01-31T10:20:31Z", "2024-01-31T10:20:31Z"},
		{now, "2024-01-31T10:20:30.000000001Z", "2024-01-31T10:20:31Z"},
		{now, "2024-01-31T12:20:31+02:00", "2024-01-31T10:20:31Z"},
		{now, "2024-01-31t05:20:31-05:00", "2024-01-31T10:20:31Z"},
		{now, "2100-01-01t00:00:00z", "2100-01-01T00:00:00Z"},
		{now, "9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"},
		{"9999-12-31T23:59:58Z", "00:00:01", "9999-12-31T23:59:59Z"},
	} {
		got, err := domain.ParseExpiry(test.text, at(t, test.now))
		require.NoError(t, err, test.text)
		require.Equal(t, at(t, test.want).UTC(), got, test.text)
	}
}

func at(t *testing.T, text string) time.Time {
	t.Helper()
	instant, err := time.Parse(time.RFC3339Nano, text)
	require.NoError(t, err)
	return instant
}

func TestParseExpiryRefuses(t *testing.T) {
	t.Parallel()
	now := at(t, "2024-01-31T10:20:30.5Z")
	for reason, texts := range map[string][]string{
		"nothing": {"", " ", "P", "PT", "P1DT", "P1YT"},
		"garbage": {"soon", "1", "3600", "1y", "90D", "12h10d", "1d1d", "1.5d", "1 d", "d", "90days", ":", "::",
			"1:2:3:4:5", "1.2", "12:10:09.", ".12:10",
			"10.12", "0x1:00", "12:10Z", "１:00", "1:00\x00", "1:00\n2:00"},
		"negative": {"-1:00:00:00", "-00:00:01", "1:-1:00:00", "-P1D", "P-1D", "PT-1S", "+1:00", "-1d", "+1d"},
		"zero":     {"00:00", "0:0:0:0", "0.00:00:00.0000000", "PT0S", "P0D", "P0Y", "0d", "0w0s"},
		"past": {"2024-01-31T10:20:30.5Z", "2024-01-31T10:20:30.4Z", "2024-01-31T10:20:30Z",
			"1999-01-01T00:00:00Z", "0000-01-01T00:00:00Z"},
		"out of range": {"24:00", "1:24:00:00", "1.24:00:00", "00:60", "1:00:60:00", "00:00:60",
			"2024-02-30T00:00:00Z", "2024-13-01T00:00:00Z", "2100-01-01T24:00:00Z", "2100-01-01T00:00:00+25:00"},
		"too many digits": {"100:00", "1:100:00:00", "999999999:00:00:00", "00:00:00.00000001",
			"99999999999999999999.00:00", "P9999999Y", "PT9999999999S", "999999999d",
			"9999999w", "9999999999s"},
		"beyond 9999": {"9999-12-31T23:59:59.1Z", "10000-01-01T00:00:00Z", "P7976Y", "P99999Y", "P999999M", "P999999W",
			"P99999999D", "99999999d", "999999w", "99999999.00:00:00", "99999999:23:59:59",
			"9999-12-31T23:59:59-00:01"},
		"other forms": {"2100-01-01", "2100-01-01T00:00:00", "2100-01-01 00:00:00Z", "20100101T000000Z", "p1d", "P1W1D",
			"PT1H1H", "P1.5DT2H", "PT1.5H30M", "P0.5Y1M", "P1.D", "P.5D", "PT1.5", "P1.5", "P1.1234567890D",
			"P1.5T", "P0.5DT", "P1.5H", "PT1.5D", "PT1.5.5H", "P1H", "PT1D", "P1D2Y"},
	} {
		for _, text := range texts {
			got, err := domain.ParseExpiry(text, now)
			require.Error(t, err, "%s: %q gives %s", reason, text, got)
			requireRefusal(t, err, domain.Invalid, "invalid_expiry", "expiry")
			require.Zero(t, got)
		}
	}
}

// FuzzParseExpiry verifies that an accepted expiry is a whole second in UTC, after now and not after the year 9999.
// Parsing the text of an accepted expiry returns the same time.
func FuzzParseExpiry(f *testing.F) {
	for _, seed := range []string{"10:12:10:00", "1w2d3h4m5s", "10.12:10:00.123", "P1Y2M3DT4H5M6.7S", "P0.5Y",
		"P99999.9M", "P2W",
		"2100-01-01T00:00:00.5+01:00", "99999999:23:59:59", "P99999Y", "-1:00", ""} {
		f.Add(seed, int64(1706696430), int64(500_000_000))
	}
	f.Fuzz(func(t *testing.T, text string, seconds, nanoseconds int64) {
		const last = 253402300799
		now := time.Unix(min(max(seconds, 0), last), min(max(nanoseconds, 0), 999_999_999))
		end, err := domain.ParseExpiry(text, now)
		if err != nil {
			require.ErrorIs(t, err, domain.Invalid)
			if len(text) > 40 {
				require.False(t, strings.Contains(err.Error(), text), "no refusal repeats its input")
			}
			return
		}
		require.True(t, end.After(now))
		require.Zero(t, end.Nanosecond())
		require.Equal(t, time.UTC, end.Location())
		require.LessOrEqual(t, end.Year(), 9999)
		again, err := domain.ParseExpiry(end.Format(time.RFC3339), now)
		require.NoError(t, err)
		require.Equal(t, end, again)
	})
}
