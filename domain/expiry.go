package domain

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// These patterns match the forms of a time span. The function match returns the number in each named group.
var (
	// d:hh:mm:ss
	colonSpan = regexp.MustCompile(`^(?P<d>\d{1,8}):(?P<h>\d{1,2}):(?P<m>\d{1,2}):(?P<s>\d{1,2})$`)
	// [d.]hh:mm[:ss[.fff]]
	dottedSpan = regexp.MustCompile(
		`^(?:(?P<d>\d{1,8})\.)?(?P<h>\d{1,2}):(?P<m>\d{1,2})(?::(?P<s>\d{1,2})(?:\.(?P<f>\d{1,7}))?)?$`)
	// 90d, 2w, 1d12h: units in descending order, each at most once
	unitSpan = regexp.MustCompile(
		`^(?:(?P<W>\d{1,6})w)?(?:(?P<d>\d{1,8})d)?(?:(?P<h>\d{1,9})h)?(?:(?P<m>\d{1,9})m)?(?:(?P<s>\d{1,9})s)?$`)
	// ISO 8601: PnW or PnYnMnDTnHnMnS
	isoDuration = regexp.MustCompile(
		`^P(?:(?P<W>\d{1,6})W|(?:(?P<Y>\d{1,5})Y)?(?:(?P<M>\d{1,6})M)?(?:(?P<d>\d{1,8})D)?` +
			`(?:T(?:(?P<H>\d{1,9})H)?(?:(?P<N>\d{1,9})M)?(?:(?P<S>\d{1,9})S)?)?)$`)
	// ISO 8601 permits a fraction in the last component only.
	isoFraction = regexp.MustCompile(`^(P.*\d)[.,](\d{1,9})([A-Z])$`)
)

// lastExpiry is the latest instant that the date types of all common clients can represent.
var lastExpiry = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)

// ParseExpiry parses an expiry: a time span (90d, d:hh:mm:ss or [d.]hh:mm[:ss[.fff]]), an ISO 8601 duration or an RFC
// 3339 instant. It returns the instant in UTC, rounded up to a whole second. Errors: Invalid for any other text, for an
// instant that is not in the future, and for an instant after the year 9999.
func ParseExpiry(text string, now time.Time) (time.Time, error) {
	end, ok := parseEnd(strings.TrimSpace(text), now.UTC())
	if !ok {
		return time.Time{}, InvalidField("expiry", "invalid_expiry",
			"expiry must be a duration such as 90d, 2w or 1d12h, an ISO 8601 duration such as P10DT12H, d:hh:mm:ss, "+
				"[d.]hh:mm[:ss[.fff]], or an RFC 3339 instant such as 2030-01-01T00:00:00Z")
	}
	if !end.After(now) { // before rounding, which could move a past instant into the future
		return time.Time{}, InvalidField("expiry", "invalid_expiry", "expiry must be in the future")
	}
	if end.Nanosecond() != 0 {
		end = end.Truncate(time.Second).Add(time.Second)
	}
	if end.After(lastExpiry) {
		return time.Time{}, InvalidField("expiry", "invalid_expiry", "expiry must not be after the year 9999")
	}
	return end, nil
}

// parseEnd parses an expiry in one of the forms that ParseExpiry lists; ok is false if text has none of these forms.
func parseEnd(text string, now time.Time) (end time.Time, ok bool) {
	if parts, ok := match(colonSpan, text); ok {
		return addSpan(parts, now)
	}
	if parts, ok := match(dottedSpan, text); ok {
		return addSpan(parts, now)
	}
	if parts, ok := match(unitSpan, text); ok {
		return addSeconds(now, parts["d"]+7*parts["W"], parts["h"], parts["m"], parts["s"], 0), text != ""
	}
	if strings.HasPrefix(text, "P") {
		return addISODuration(text, now)
	}
	instant, err := time.Parse(time.RFC3339, strings.ToUpper(text))
	return instant.UTC(), err == nil
}

// addSpan adds a time span. It refuses an hours field above 23 and a minutes or seconds field above 59, because
// such a number is probably a mistake.
func addSpan(parts map[string]int, now time.Time) (time.Time, bool) {
	if parts["h"] > 23 || parts["m"] > 59 || parts["s"] > 59 {
		return time.Time{}, false
	}
	return addSeconds(now, parts["d"], parts["h"], parts["m"], parts["s"], parts["f"]), true
}

// addISODuration adds an ISO 8601 duration. It first adds years and months by the calendar, and then the other
// components. A fraction of a year is converted to months. A whole month lasts from one day to the same day of the next
// month. A fraction of a month is the same fraction of the days in that span: half a month from 1 February is 14 days
// in a common year.
func addISODuration(text string, now time.Time) (time.Time, bool) {
	fraction, unit := 0, "" // in billionths of the last component
	if parts := isoFraction.FindStringSubmatch(text); parts != nil {
		text, fraction, unit = parts[1]+parts[3], nanoseconds(parts[2]), parts[3]
	}
	parts, ok := match(isoDuration, text)
	if !ok || text == "P" || strings.HasSuffix(text, "T") {
		return time.Time{}, false
	}
	months := 12*parts["Y"] + parts["M"]
	seconds := 0 // of the last component
	switch {
	case unit == "Y":
		months, fraction = months+12*fraction/1e9, 12*fraction%1e9
		fallthrough
	case unit == "M" && !strings.Contains(text, "T"):
		seconds = int(now.AddDate(0, months+1, 0).Unix() - now.AddDate(0, months, 0).Unix())
	default:
		seconds = map[string]int{"W": 7 * 86400, "D": 86400, "H": 3600, "M": 60, "S": 1}[unit]
	}
	return addSeconds(now.AddDate(0, months, 0), parts["d"]+7*parts["W"], parts["H"], parts["N"], parts["S"],
		fraction*seconds), true
}

// addSeconds adds a span in seconds, because a time.Duration holds at most 292 years.
func addSeconds(from time.Time, days, hours, minutes, seconds, nanoseconds int) time.Time {
	whole := int64(days)*86400 + int64(hours)*3600 + int64(minutes)*60 + int64(seconds)
	return time.Unix(from.Unix()+whole, int64(from.Nanosecond()+nanoseconds)).UTC()
}

// match returns the numbers in a pattern's named groups. The group "f" contains a fraction of a second; match converts
// the fraction to nanoseconds.
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
		if name == "f" {
			parts[name] = nanoseconds(found[i])
		} else {
			parts[name], _ = strconv.Atoi(found[i]) // the patterns limit the number of digits
		}
	}
	return parts, true
}

// nanoseconds converts the decimals of a fraction to billionths: "5" becomes 500,000,000. It accepts up to nine digits.
func nanoseconds(decimals string) int {
	number, _ := strconv.Atoi((decimals + "000000000")[:9])
	return number
}
