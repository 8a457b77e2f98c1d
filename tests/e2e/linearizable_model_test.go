package e2e

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"
)

// entryState is the state of one entry in the model. A deleted entry keeps its version number, and the next write
// continues the numbering.
type entryState struct {
	version int
	exists  bool
	value   string
}

// entryCall is a request for one entry.
type entryCall struct {
	verb  string // write, read or delete
	key   string
	value string // of a write
	// ifMatch is the version in the header If-Match. The value 0 means that the request has no such header. If ifNew is
	// set, the request has the header If-None-Match: *.
	ifMatch int
	ifNew   bool
}

// entryAnswer is the response. Status 0 means that no response arrived. The entry may then have changed or not.
type entryAnswer struct {
	status, version int
	value           string
}

// admits reports whether the entry meets the conditions of the call.
func (s entryState) admits(call entryCall) bool {
	return (call.ifMatch == 0 || s.exists && call.ifMatch == s.version) && (!call.ifNew || !s.exists)
}

// step returns the states that the entry can have after the call got the answer. If the answer is impossible in state
// s, step returns nil.
func (s entryState) step(call entryCall, answer entryAnswer) []entryState {
	after, applies := s, s.admits(call)
	switch call.verb {
	case "read":
		right := answer.status == 404 && !s.exists ||
			answer.status == 200 && s.exists && answer.version == s.version && answer.value == s.value
		if right {
			return []entryState{s}
		}
		return nil
	case "write":
		after = entryState{version: s.version + 1, exists: true, value: call.value}
	case "delete":
		after.exists, after.value = false, ""
		if !s.exists {
			if answer.status == 404 || answer.status == 0 {
				return []entryState{s}
			}
			return nil
		}
	}
	switch {
	case answer.status == 0 && applies:
		return []entryState{s, after}
	case answer.status == 0, answer.status == 412 && !applies:
		return []entryState{s}
	case answer.status == 204 && applies && call.verb == "delete",
		answer.status == 201 && applies && call.verb == "write" && answer.version == after.version:
		return []entryState{after}
	}
	return nil
}

// entryModel splits a history by entry and checks each part separately. If all parts are linearizable, the history is
// linearizable too.
var entryModel = (&porcupine.NondeterministicModel{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		byKey := map[string][]porcupine.Operation{}
		for _, each := range history {
			key := each.Input.(entryCall).key
			byKey[key] = append(byKey[key], each)
		}
		var parts [][]porcupine.Operation
		for _, part := range byKey {
			parts = append(parts, part)
		}
		return parts
	},
	Init: func() []any { return []any{entryState{}} },
	Step: func(state, input, output any) (next []any) {
		for _, each := range state.(entryState).step(input.(entryCall), output.(entryAnswer)) {
			next = append(next, each)
		}
		return next
	},
	DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v -> %+v", input, output) },
}).ToModel()

// TestEntryModel verifies that the model accepts correct histories and refuses wrong ones. TestEntriesAreLinearizable
// relies on this model. If the model accepted every history, TestEntriesAreLinearizable could not fail.
func TestEntryModel(t *testing.T) {
	t.Parallel()
	type op struct {
		begin, end int64
		call       entryCall
		answer     entryAnswer
	}
	write := func(value string) entryCall { return entryCall{verb: "write", key: "k", value: value} }
	ifFirst := func(value string) entryCall { call := write(value); call.ifMatch = 1; return call }
	ifAbsent := func(value string) entryCall { call := write(value); call.ifNew = true; return call }
	readIt, deleteIt := entryCall{verb: "read", key: "k"}, entryCall{verb: "delete", key: "k"}
	const never = math.MaxInt64
	for name, c := range map[string]struct {
		history []op
		want    bool
	}{
		"write and read": {[]op{{1, 2, write("a"), entryAnswer{201, 1, ""}},
			{3, 4, readIt, entryAnswer{200, 1, "a"}}}, true},
		"stale read": {[]op{{1, 2, write("a"), entryAnswer{201, 1, ""}}, {3, 4, write("b"), entryAnswer{201, 2, ""}},
			{5, 6, readIt, entryAnswer{200, 1, "a"}}}, false},
		"concurrent read of the old value": {[]op{{1, 2, write("a"), entryAnswer{201, 1, ""}},
			{3, 9, write("b"), entryAnswer{201, 2, ""}}, {4, 5, readIt, entryAnswer{200, 1, "a"}}}, true},
		"lost write": {[]op{{1, 2, write("a"), entryAnswer{201, 1, ""}},
			{3, 4, readIt, entryAnswer{404, 0, ""}}}, false},
		"two with one number": {[]op{{1, 5, write("a"), entryAnswer{201, 1, ""}},
			{2, 6, write("b"), entryAnswer{201, 1, ""}}}, false},
		"unknown, applied": {[]op{{1, never, write("a"), entryAnswer{}},
			{3, 4, readIt, entryAnswer{200, 1, "a"}}}, true},
		"unknown, not applied": {[]op{{1, never, write("a"), entryAnswer{}},
			{3, 4, readIt, entryAnswer{404, 0, ""}}}, true},
		"unknown, then vanished": {[]op{{1, never, write("a"), entryAnswer{}}, {3, 4, readIt, entryAnswer{200, 1, "a"}},
			{5, 6, readIt, entryAnswer{404, 0, ""}}}, false},
		"unknown, applied twice": {[]op{{1, never, write("a"), entryAnswer{}}, {3, 4, readIt, entryAnswer{200, 1, "a"}},
			{5, 6, write("b"), entryAnswer{201, 2, ""}}, {7, 8, readIt, entryAnswer{200, 3, "a"}}}, false},
		"delete keeps the number": {[]op{{1, 2, write("a"), entryAnswer{201, 1, ""}},
			{3, 4, deleteIt, entryAnswer{204, 0, ""}},
			{5, 6, write("b"), entryAnswer{201, 2, ""}}}, true},
		"read after a delete": {[]op{{1, 2, write("a"), entryAnswer{201, 1, ""}},
			{3, 4, deleteIt, entryAnswer{204, 0, ""}},
			{5, 6, readIt, entryAnswer{200, 1, "a"}}}, false},
		"condition that holds but is refused": {[]op{{1, 2, write("a"), entryAnswer{201, 1, ""}},
			{3, 4, ifFirst("b"), entryAnswer{412, 0, ""}}}, false},
		"condition that fails but is admitted": {[]op{{1, 2, write("a"), entryAnswer{201, 1, ""}},
			{3, 4, ifAbsent("b"), entryAnswer{201, 2, ""}}}, false},
		"both of two If-Match": {[]op{{1, 2, write("a"), entryAnswer{201, 1, ""}},
			{3, 9, ifFirst("b"), entryAnswer{201, 2, ""}},
			{4, 8, ifFirst("c"), entryAnswer{201, 3, ""}}}, false},
	} {
		var history []porcupine.Operation
		for i, each := range c.history {
			history = append(history, porcupine.Operation{
				ClientId: i,
				Input:    each.call,
				Call:     each.begin,
				Output:   each.answer,
				Return:   each.end,
			})
		}
		require.Equal(t, c.want, porcupine.CheckOperations(entryModel, slices.Clone(history)), name)
	}
}
