package domain

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// Entry is a key of a box and the number of its newest version. It outlives the deletion of its value, so that version
// numbers never restart.
type Entry struct {
	Box BoxID
	Key EntryKey
	// Version counts from 1; 0 is an entry that was never written.
	Version   uint64
	Deleted   bool
	UpdatedAt time.Time
}

// Exists reports whether the entry has a value now.
func (e Entry) Exists() bool { return e.Version > 0 && !e.Deleted }

// Next returns the entry with one more version.
func (e Entry) Next(now time.Time) Entry {
	e.Version++
	e.Deleted = false
	e.UpdatedAt = now
	return e
}

// EntryVersion is one line of an entry's history. Author is empty when that user is gone.
type EntryVersion struct {
	Version   uint64
	Author    UserName
	CreatedAt time.Time
	Current   bool
}

// Versions is a list of versions that a precondition names; Any is the "*" of RFC 9110.
type Versions struct {
	Any  bool
	List []uint64
}

// Condition is what a writer demands of an entry before it is changed: RFC 9110, If-Match and If-None-Match. Nil
// demands nothing.
type Condition struct {
	IfMatch     *Versions
	IfNoneMatch *Versions
}

// Check refuses with kind Precondition when the entry is not as demanded. An entry that does not exist matches nothing.
func (c Condition) Check(entry Entry) error {
	if c.IfMatch != nil && !c.IfMatch.include(entry) || c.IfNoneMatch != nil && c.IfNoneMatch.include(entry) {
		return ErrPrecondition
	}
	return nil
}

func (v Versions) include(entry Entry) bool {
	return entry.Exists() && (v.Any || slices.Contains(v.List, entry.Version))
}

// ParseVersions reads the header named by field, which holds "*" or entity tags ("3", "4"); nil when it is empty. A
// weak tag (W/"3") and one that is no number match nothing, as RFC 9110 has it for strong comparison.
func ParseVersions(field, header string) (*Versions, error) {
	header = strings.TrimSpace(header)
	switch header {
	case "":
		return nil, nil
	case "*":
		return &Versions{Any: true}, nil
	}
	versions := &Versions{}
	for tag := range strings.SplitSeq(header, ",") {
		tag = strings.TrimSpace(tag)
		opaque, weak := strings.CutPrefix(tag, "W/")
		if len(opaque) < 2 || opaque[0] != '"' || opaque[len(opaque)-1] != '"' {
			return nil, InvalidField(field, "invalid_precondition",
				field+` must be * or entity tags in quotes, such as "3"`)
		}
		number, err := strconv.ParseUint(opaque[1:len(opaque)-1], 10, 63)
		if err == nil && !weak && number > 0 {
			versions.List = append(versions.List, number)
		}
	}
	return versions, nil
}

// ParseVersion reads the number of a version in the field of that name: from 1.
func ParseVersion(field, text string) (uint64, error) {
	number, err := strconv.ParseUint(text, 10, 63)
	if err != nil || number == 0 {
		return 0, InvalidField(field, "invalid_version", field+" must be a version number, from 1")
	}
	return number, nil
}

// CheckValueSize refuses a value over limit bytes of JSON text; limit 0 is none.
func CheckValueSize(size, limit int) error {
	if limit > 0 && size > limit {
		return &Error{
			Kind:    TooLarge,
			Code:    "value_too_large",
			Field:   "value",
			Message: "value is " + strconv.Itoa(size) + " bytes of JSON text; the limit is " + strconv.Itoa(limit),
		}
	}
	return nil
}
