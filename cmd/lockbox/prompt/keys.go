package prompt

import (
	"errors"
	"io"
	"strings"
	"unicode/utf8"
)

// ErrSeveralLines means that more than one line was typed or pasted at a prompt that accepts one line. The prompt
// discards all input, because the shell would run unread lines as commands.
var ErrSeveralLines = errors.New(
	"the input has several lines, but this prompt accepts only one: paste a single line; nothing was changed")

// maxHidden is the maximum length of hidden input, in bytes. It limits the use of memory. It is larger than the default
// maximum size of a value, which is 512 KiB.
const maxHidden = 1 << 20

// These are the escape sequences of bracketed paste. After enablePaste, a terminal sends beginPaste before pasted text
// and endPaste after it. A line end between them was pasted; any other line end comes from the Enter key.
const (
	enablePaste  = "\x1b[?2004h"
	disablePaste = "\x1b[?2004l"
	beginPaste   = "\x1b[200~"
	endPaste     = "\x1b[201~"
)

// quietTenths is how long a prompt waits for more input after the end of a line, in tenths of a second. More input
// within this time belongs to the same paste. A person would need longer to type the next command.
const quietTenths = 5

// maxEscape is the maximum length of an escape sequence, in bytes. The sequence of every key is shorter. If a sequence
// reaches this length, addEscape ends it.
const maxEscape = 16

// keys collects the keys that a user presses at a hidden prompt. It also handles the keys that edit the line, because
// the terminal does not do this during a hidden prompt. The zero value is an empty line.
type keys struct {
	text   []byte
	escape []byte // an incomplete escape sequence
	paste  bool   // inside a bracketed paste
	done   bool   // Enter or Ctrl-D was pressed
	eof    bool   // Ctrl-D was pressed on an empty line
	last   byte   // the key that ended the line
	extra  []byte // input after the end of the line
}

// write adds input. If the input ends within an escape sequence, the next call of write continues the sequence.
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

// append adds text, but keeps at most maxHidden+1 bytes. The method result refuses a text of maxHidden+1 bytes, because
// it is too long.
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

// press handles one key. It edits the line as a terminal does.
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

// result returns the input. Each line end in the input becomes "\n". If the input is a single line, result removes a
// line end after it, which users often copy by mistake. The argument rest has the input that arrived after the last
// call of write.
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

// hasText reports whether input contains a character other than a line end or Ctrl-D. If a user presses Enter several
// times, the input contains only line ends.
func hasText(input []byte) bool { return strings.Trim(string(input), "\r\n\x04") != "" }
