package terminal

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
)

// Printable exports printable for other packages.
func Printable(text string) string { return printable(text) }

// printable makes text from other users or from the server safe to show. It replaces control characters, because they
// could control the terminal. It escapes invisible characters, because they could make the visible text differ from the
// text that programs read.
func printable(text string) string { return replaceUnsafe(text, "") }

// printableLines is like printable, but for text of several lines: it keeps line ends and tabs.
func printableLines(text string) string { return replaceUnsafe(text, "\n\t") }

// replaceUnsafe replaces each control character with U+FFFD. It keeps the control characters that its second argument
// contains. It writes each invisible character as a JSON escape such as \u202e, so that the value of a JSON text stays
// the same.
func replaceUnsafe(text, except string) string {
	if !strings.ContainsFunc(text, func(r rune) bool { return isControl(r) || isInvisible(r) }) {
		return text
	}
	var safe strings.Builder
	for _, r := range text {
		switch {
		case isControl(r) && !strings.ContainsRune(except, r):
			safe.WriteRune('�')
		case isInvisible(r) && r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&safe, `\u%04x\u%04x`, high, low)
		case isInvisible(r):
			fmt.Fprintf(&safe, `\u%04x`, r)
		default:
			safe.WriteRune(r)
		}
	}
	return safe.String()
}

// isControl reports whether r is a control character of ASCII or of C1 (U+0080 to U+009F).
func isControl(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 }

// isInvisible reports whether r has no shape of its own: it changes the direction of text, has no width, ends a line,
// or is a filler or a tag. The variation selectors 15 and 16 are exceptions, because emoji contain them.
func isInvisible(r rune) bool {
	const textStyle, emojiStyle, brailleBlank = '\ufe0e', '\ufe0f', '\u2800'
	if r == textStyle || r == emojiStyle {
		return false
	}
	return r == brailleBlank || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Variation_Selector,
		unicode.Other_Default_Ignorable_Code_Point)
}
