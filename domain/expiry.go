package domain

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

var (
	// d:hh:mm:ss
	colonSpan = regexp.MustCompile(`^(?P<d>\d{1,8}):(?P<h>\d{1,2}):(?P<m>\d{1,2}):(?P<s>\d{1,2})$`)
	// [d.]hh:mm[:ss[.fff]]
	dottedSpan = regexp.MustCompile(
		`^(?:(?P<d>\d{1,8})\.)?(?P<h>\d{1,2}):(?P<m>\d{1,2})(?::(?P<s>\d{1,2})(?:\.(?P<f>\d{1,7}))?)?$`)
	// ISO 8601: PnW or PnYnMnDTnHnMnS
	isoDuration = regexp.MustCompile(
		`^P(?:(?P<W>\d{1,6})W|(?:(?P<Y>\d{1,5})Y)?(?:(?P<M>\d{1,6})M)?(?:(?P<d>\d{1,8})D)?` +
			`(?:T(?:(?P<H>\d{1,9})H)?(?:(?P<N>\d{1,9})M)?(?:(?P<S>\d{1,9})(?:[.,](?P<f>\d{1,9}))?S)?)?)$`)
)

// lastExpiry is the last instant that every client's date type can hold.
var lastExpiry = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)

// ParseExpiry reads when something ends: a time span (d:hh:mm:ss or [d.]hh:mm[:ss[.fff]]), an ISO 8601 duration or an
// RFC 3339 instant. It returns the instant in UTC, rounded up to a whole second. What is not after now, or beyond the
// year 9999, is Invalid.
func ParseExpiry(text string, now time.Time) (time.Time, error) {
	end, ok := parseEnd(strings.TrimSpace(text), now.UTC())
	if !ok {
		return time.Time{}, InvalidField("expiry", "invalid_expiry",
			"expiry must be d:hh:mm:ss, [d.]hh:mm[:ss[.fff]], an ISO 8601 duration such as P10DT12H or an RFC 3339 "+
				"instant")
	}
	if !end.After(now) { // as asked: rounding must not make something of nothing
		return time.Time{}, InvalidField("expiry", "invalid_expiry", "expiry must be in the future")
	}
	if end.Nanosecond() != 0 {
		end = end.Truncate(time.Second).Add(time.Second)
	}
	if end.After(lastExpiry) {
		return time.Time{}, InvalidField("expiry", "invalid_expiry", "expiry must not be beyond the year 9999")
	}
	return end, nil
}

func parseEnd(text string, now time.Time) (time.Time, bool) {
	if parts, ok := match(colonSpan, text); ok {
		return addSpan(parts, now)
	}
	if parts, ok := match(dottedSpan, text); ok {
		return addSpan(parts, now)
	}
	if parts, ok := match(isoDuration, text); ok {
		return addISODuration(text, parts, now)
	}
	instant, err := time.Parse(time.RFC3339, strings.ToUpper(text))
	return instant.UTC(), err == nil
}

// addSpan refuses 25 hours or 61 minutes: whoever writes them means something else.
func addSpan(parts map[string]int, now time.Time) (time.Time, bool) {
	if parts["h"] > 23 || parts["m"] > 59 || parts["s"] > 59 {
		return time.Time{}, false
	}
	return addSeconds(now, parts["d"], parts["h"], parts["m"], parts["s"], parts["f"]), true
}

func addISODuration(text string, parts map[string]int, now time.Time) (time.Time, bool) {
	if text == "P" || strings.HasSuffix(text, "T") {
		return time.Time{}, false
	}
	end := now.AddDate(parts["Y"], parts["M"], 0)
	return addSeconds(end, parts["d"]+7*parts["W"], parts["H"], parts["N"], parts["S"], parts["f"]), true
}

// addSeconds counts in seconds, since a time.Duration ends after 292 years.
func addSeconds(from time.Time, days, hours, minutes, seconds, nanoseconds int) time.Time {
	whole := int64(days)*86400 + int64(hours)*3600 + int64(minutes)*60 + int64(seconds)
	return time.Unix(from.Unix()+whole, int64(from.Nanosecond()+nanoseconds)).UTC()
}

// match returns the numbers of a pattern's named groups; "f" is a fraction of a second and comes in nanoseconds.
func match(pattern *regexp.Regexp, text string) (map[string]int, bool) {
	found := pattern.FindStringSubmatch(text)
	if found == nil {
		return nil, false
	}
	parts := make(map[string]int)
	for i, name := range pattern.SubexpNames() {
		if name == "" || found[i] == "" {
			continue
		}
		digits := found[i]
		if name == "f" {
			digits = (digits + "000000000")[:9]
		}
		parts[name], _ = strconv.Atoi(digits)
	}
	return parts, true
}
