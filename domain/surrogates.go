package domain

import (
	"bytes"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// escapedUnitLen is the length of the JSON escape \uXXXX, in bytes.
const escapedUnitLen = len(`\u0000`)

// LoneSurrogates counts the lone surrogates in valid JSON: escapes such as \ud800 that encode only one half of a
// surrogate pair. Decoders replace a lone surrogate with U+FFFD, so different strings would become equal.
func LoneSurrogates(json []byte) int {
	count := 0
	for {
		begin := bytes.IndexByte(json, '\\')
		if begin < 0 {
			return count
		}
		json = json[begin:]
		first := escapedUnit(json)
		if !utf16.IsSurrogate(first) {
			json = json[min(2, len(json)):] // past both bytes of \\, because the second one begins no escape
			continue
		}
		json = json[escapedUnitLen:]
		if utf16.DecodeRune(first, escapedUnit(json)) == utf8.RuneError {
			count++
		} else {
			json = json[escapedUnitLen:]
		}
	}
}

// escapedUnit returns the UTF-16 code unit of the escape at the beginning of a JSON text, or 0 if there is none.
func escapedUnit(json []byte) rune {
	if len(json) < escapedUnitLen || json[0] != '\\' || json[1] != 'u' {
		return 0
	}
	unit, err := strconv.ParseUint(string(json[2:escapedUnitLen]), 16, 16)
	if err != nil {
		return 0
	}
	return rune(unit)
}
