package prompt

import (
	"errors"
	"io"
	"strings"
	"unicode/utf8"
)

// ErrSeveralLines means that more than one line was typed or pasted at a prompt that accepts one line. The input is
// discarded, so that the shell does not run the other lines.
var ErrSeveralLines = errors.New(
	"the input has several lines, but this prompt takes one: paste one line; nothing was changed")

// maxHidden limits hidden input, in bytes. The limit bounds memory use. It exceeds the default maximum size of a value,
// 512 KiB.
const maxHidden = 1 << 20

// The sequences of bracketed paste. If bracketed paste is enabled, a terminal sends the last two of these sequences
// before and after pasted text. They distinguish a line end in pasted text from the Enter key.
const (
	enablePaste  = "\x1b[?2004h"
	disablePaste = "\x1b[?2004l"
	beginPaste   = "\x1b[200~"
	endPaste     = "\x1b[201~"
)

// quietTenths is how long a prompt waits for more input after the end of a line, in tenths of a second. Input that
// arrives within this time belongs to a paste, because a person needs longer to read the result of a command and to
// type the next one.
const quietTenths = 5

// maxEscape exceeds the length of every escape sequence of a key. A longer sequence is treated as text.
const maxEscape = 16

// keys collects the input of a hidden prompt, in a terminal that neither echoes nor edits lines. The zero value is an
// empty line.
type keys struct {
	text   []byte
	escape []byte // an incomplete escape sequence
	paste  bool   // inside a bracketed paste
	done   bool   // Enter or Ctrl-D was pressed
	eof    bool   // Ctrl-D was pressed on an empty line
	last   byte   // the key that ended the line
	extra  []byte // input after the end of the line
}

// write adds input. The input may end within an escape sequence.
func (k *keys) write(input []byte) {
	for _, c := range input {
		switch {
		case k.done:
			k.extra = append(k.extra, c)
		case len(k.escape) > 0 || c == 0x1b:
			k.addEscape(c)
		case k.paste:
			k.append(c)
		default:
			k.press(c)
		}
	}
}

// append adds text, but keeps at most maxHidden+1 bytes. The extra byte lets the method result detect and refuse text
// that is too long.
func (k *keys) append(text ...byte) {
	k.text = append(k.text, text[:min(len(text), maxHidden+1-len(k.text))]...)
}

// addEscape collects an escape sequence. Cursor and function keys have no effect.
func (k *keys) addEscape(c byte) {
	k.escape = append(k.escape, c)
	sequence := string(k.escape)
	isControl := strings.HasPrefix(sequence, "\x1b[")
	switch {
	case sequence == "\x1b", sequence == "\x1b[", isControl && (c < '@' || c > '~') && len(sequence) < maxEscape:
		return
	case sequence == beginPaste && !k.paste, sequence == endPaste && k.paste:
		k.paste = !k.paste
	case k.paste:
		k.append(k.escape...)
	case !isControl:
		k.press(c) // the Escape key or Alt before another key
	}
	k.escape = nil
}

// press handles one key in the same manner as the line editing of a terminal.
func (k *keys) press(c byte) {
	switch c {
	case '\r', '\n', 0x04: // Enter, Ctrl-D
		k.done, k.last = true, c
		k.eof = c == 0x04 && len(k.text) == 0
	case 0x7f, '\b':
		_, size := utf8.DecodeLastRune(k.text)
		k.text = k.text[:len(k.text)-size]
	case 0x15: // Ctrl-U
		k.text = nil
	case 0x17: // Ctrl-W
		line := strings.TrimRight(string(k.text), " ")
		k.text = k.text[:strings.LastIndexByte(line, ' ')+1]
	default:
		k.append(c)
	}
}

// result returns the input. Pasted line ends become "\n", and a line end after a single line is removed, because it is
// usually copied by mistake. rest is input that arrived after the last call of write.
func (k *keys) result(rest []byte) (string, error) {
	switch {
	case hasText(k.extra) || hasText(rest):
		return "", ErrSeveralLines
	case k.eof:
		return "", io.EOF
	case len(k.text) > maxHidden:
		return "", errors.New("the input is longer than 1 MiB")
	}
	text := strings.ReplaceAll(strings.ReplaceAll(string(k.text), "\r\n", "\n"), "\r", "\n")
	if line := strings.TrimSuffix(text, "\n"); !strings.Contains(line, "\n") {
		text = line
	}
	return text, nil
}

// hasText reports whether input contains anything except line ends and Ctrl-D. Further presses of Enter produce only
// line ends.
func hasText(input []byte) bool { return strings.Trim(string(input), "\r\n\x04") != "" }
