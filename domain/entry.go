package domain

import (
	"slices"
	"strconv"
	"time"
)

// Entry is an entry of a box, without its value. The entry stays in storage when its value is deleted. Version numbers
// therefore never restart.
type Entry struct {
	Box BoxID
	Key EntryKey
	// Version counts from 1. It is 0 for an entry that was never written.
	Version   uint64
	Deleted   bool
	UpdatedAt time.Time
}

// Exists reports whether the entry has a value now.
func (e Entry) Exists() bool { return e.Version > 0 && !e.Deleted }

// Next returns the entry with the next version number. The field Deleted of the result is false, even if e was deleted.
func (e Entry) Next(now time.Time) Entry {
	e.Version++
	e.Deleted = false
	e.UpdatedAt = now
	return e
}

// EntryVersion describes one version of an entry, without its value. Author is empty if the user who wrote the version
// was deleted.
type EntryVersion struct {
	Version   uint64
	Author    UserName
	CreatedAt time.Time
	Current   bool
	// BoxKey identifies the box key under which the version was encrypted. It is zero if the box had no keyring at that
	// time.
	BoxKey KeyID
}

// Versions is a set of versions of an entry. If Any is set, the set contains all versions. Otherwise it contains the
// versions in List.
type Versions struct {
	Any  bool
	List []uint64
}

// Condition restricts which version of an entry a request may replace or read. A nil field requires nothing.
type Condition struct {
	// The condition holds only if OneOf contains the version.
	OneOf *Versions
	// The condition holds only if NoneOf does not contain the version. For a read, NoneOf lists the versions that the
	// caller already has.
	NoneOf *Versions
}

// Check returns ErrPrecondition if the entry does not satisfy the condition. An entry without a value has no current
// version. For such an entry, OneOf never holds and NoneOf always holds, even if Any is set.
func (c Condition) Check(entry Entry) error {
	if c.OneOf != nil && !c.OneOf.contain(entry) || c.NoneOf != nil && c.NoneOf.contain(entry) {
		return ErrPrecondition
	}
	return nil
}

// CheckRead checks the condition for a read of the given version. It returns ErrPrecondition if OneOf does not contain
// the version. If NoneOf contains the version, unmodified is true: the caller already has the value.
func (c Condition) CheckRead(version uint64) (unmodified bool, err error) {
	read := Entry{Version: version}
	if c.OneOf != nil && !c.OneOf.contain(read) {
		return false, ErrPrecondition
	}
	return c.NoneOf != nil && c.NoneOf.contain(read), nil
}

func (v Versions) contain(entry Entry) bool {
	return entry.Exists() && (v.Any || slices.Contains(v.List, entry.Version))
}

// CheckValueSize refuses a value of more than limit bytes of JSON text. A limit of 0 means no limit.
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
