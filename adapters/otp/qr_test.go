package otp_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"
	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// labels are pairs of issuer and account, from the shortest pair to the longest allowed pair.
var labels = [][2]string{
	{"L", "a"},
	{"Lockbox", "anna"},
	{"Büro Köln & Söhne", "jörg müller"},
	{strings.Repeat("L", 50), strings.Repeat("a", 50)},
	{strings.Repeat("L", 50), strings.Repeat("a", 100)},
	{strings.Repeat("ü", 25), strings.Repeat("ü", 50)},
}

// enrol returns an enrolment whose secret depends only on the label. Random secrets would make the tests fail
// occasionally, because ZXing cannot locate the symbol for about one secret in fifty. Nevertheless, the images of such
// secrets are correct. In a test with 1,080 random secrets, zbar read every image. ZXing also reads these images if it
// need not locate the symbol; see TestPNGOfAnySecret.
func enrol(t *testing.T, label [2]string) ports.Enrolment {
	t.Helper()
	secret := sha256.Sum256([]byte(label[0] + label[1]))
	enrolment, err := newCodes(t, label[0]).Enrolment(domain.NewSecret(string(secret[:20])), label[1])
	require.NoError(t, err)
	return enrolment
}

// read decodes a QR code with ZXing, an implementation that is independent of the one under test. When ZXing is called
// like this, it does not read inverted codes. Many phones do not read them either. By default, ZXing first locates the
// code in the image. A hint can state that the image contains only a code.
func read(picture image.Image, hints map[gozxing.DecodeHintType]any) (string, error) {
	bitmap, err := gozxing.NewBinaryBitmapFromImage(picture)
	if err != nil {
		return "", err
	}
	result, err := qrcode.NewQRCodeReader().Decode(bitmap, hints)
	if err != nil {
		return "", err
	}
	// ZXing also reads mirrored codes, but some phones may not. For a mirrored code, ZXing returns the corners in
	// another order.
	if corners := result.GetResultPoints(); len(corners) > 0 && corners[0].GetY() < corners[2].GetY() {
		return "", errors.New("the code is mirrored")
	}
	return result.GetText(), nil
}

func TestPNGOfAnySecret(t *testing.T) {
	t.Parallel()
	codes := newCodes(t, "Lockbox")
	for range 10 {
		secret, err := codes.NewSecret()
		require.NoError(t, err)
		enrolment, err := codes.Enrolment(secret, "anna")
		require.NoError(t, err)
		picture, err := png.Decode(bytes.NewReader(enrolment.PNG))
		require.NoError(t, err)
		text, err := read(picture, map[gozxing.DecodeHintType]any{gozxing.DecodeHintType_PURE_BARCODE: true})
		require.NoError(t, err)
		require.Equal(t, enrolment.URI, text)
	}
}

func TestPNG(t *testing.T) {
	t.Parallel()
	for _, label := range labels {
		enrolment := enrol(t, label)
		picture, err := png.Decode(bytes.NewReader(enrolment.PNG))
		require.NoError(t, err)
		text, err := read(picture, nil)
		require.NoError(t, err)
		require.Equal(t, enrolment.URI, text)
		require.Less(t, len(enrolment.PNG), 8<<10)
		side := picture.Bounds().Dx()
		require.Equal(t, image.Rect(0, 0, side, side), picture.Bounds())
		require.GreaterOrEqual(t, side, 320)
		require.LessOrEqual(t, side, 480)
	}
}

// TestPNGQuietZone derives the size of a module from the upper left finder pattern, which is seven modules wide.
func TestPNGQuietZone(t *testing.T) {
	t.Parallel()
	for _, label := range labels {
		picture, err := png.Decode(bytes.NewReader(enrol(t, label).PNG))
		require.NoError(t, err)
		box, wide := inked(picture), picture.Bounds().Dx()
		finder := 0
		for isDark(picture.At(box.Min.X+finder, box.Min.Y)) {
			finder++
		}
		require.Zero(t, finder%7)
		border := 4 * finder / 7
		require.Equal(t, image.Rect(border, border, wide-border, wide-border), box)
	}
}

func isDark(c color.Color) bool {
	r, _, _, _ := c.RGBA()
	return r < 1<<15
}

func inked(picture image.Image) image.Rectangle {
	var box image.Rectangle
	for y := range picture.Bounds().Dy() {
		for x := range picture.Bounds().Dx() {
			if isDark(picture.At(x, y)) {
				box = box.Union(image.Rect(x, y, x+1, y+1))
			}
		}
	}
	return box
}

// theme holds the default colors of a terminal.
type theme struct{ ink, paper color.Gray }

var (
	darkTheme  = theme{color.Gray{0xCC}, color.Gray{0x1E}}
	lightTheme = theme{color.Gray{0x33}, color.Gray{0xFD}}
)

// TestTerminal reads the printed QR code on a dark and a light terminal, and on a dark terminal without colors.
func TestTerminal(t *testing.T) {
	t.Parallel()
	for _, label := range labels {
		enrolment := enrol(t, label)
		for name, screen := range map[string]image.Image{
			"dark":                  show(t, enrolment.Terminal, darkTheme),
			"light":                 show(t, enrolment.Terminal, lightTheme),
			"dark, without colours": show(t, colours.ReplaceAllString(enrolment.Terminal, ""), darkTheme),
		} {
			text, err := read(screen, nil)
			require.NoError(t, err, "%s %v", name, label)
			require.Equal(t, enrolment.URI, text, name)
		}
	}
}

func TestTerminalText(t *testing.T) {
	t.Parallel()
	for _, label := range labels {
		text := enrol(t, label).Terminal
		require.True(t, strings.HasSuffix(text, "\n"))
		lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
		bare := make([]string, len(lines))
		for i, line := range lines {
			require.True(t, strings.HasPrefix(line, "\x1b["), "each line sets its colors")
			require.True(t, strings.HasSuffix(line, "\x1b[0m"), "no key is left in the cipher")
			bare[i] = colours.ReplaceAllString(line, "")
			require.Empty(t, strings.Trim(bare[i], "▀▄█ "))
			require.Equal(t, utf8.RuneCountInString(bare[0]), utf8.RuneCountInString(bare[i]))
		}
		wide := utf8.RuneCountInString(bare[0])
		require.Len(t, bare, (wide+1)/2)
		for i, line := range bare {
			require.True(t, strings.HasPrefix(line, "████") && strings.HasSuffix(line, "████"),
				"quiet zone at the sides")
			if i < 2 || i >= len(bare)-2 {
				require.Equal(t, strings.Repeat("█", wide), line, "quiet zone above and below")
			}
		}
		if utf8.RuneCountInString(label[0]) == len(label[0]) {
			require.LessOrEqual(t, wide, 80, "%v", label)
		}
	}
	require.Equal(t, 25, strings.Count(enrol(t, [2]string{"Lockbox", "anna"}).Terminal, "\n"))
}

var colours = regexp.MustCompile(`\x1b\[[0-9;]*m`)

// The size of a character cell in pixels. Cells of common fonts have these proportions. A cell shows two modules, one
// above the other, so a module (8 by 9 pixels) is slightly taller than it is wide.
const cellWide, cellHigh = 8, 18

// show draws text like a terminal, with a margin around it.
func show(t *testing.T, text string, theme theme) image.Image {
	t.Helper()
	lines := strings.Split(text, "\n")
	widest := 0
	for _, line := range lines {
		widest = max(widest, utf8.RuneCountInString(colours.ReplaceAllString(line, "")))
	}
	screen := image.NewGray(image.Rect(0, 0, (widest+20)*cellWide, (len(lines)+4)*cellHigh))
	fill(screen, screen.Rect, theme.paper)
	now := theme
	for row, line := range lines {
		column := 0
		for line != "" {
			if at := colours.FindStringIndex(line); at != nil && at[0] == 0 {
				now = setColours(t, now, theme, line[:at[1]])
				line = line[at[1]:]
				continue
			}
			character, size := utf8.DecodeRuneInString(line)
			line = line[size:]
			drawCell(t, screen, image.Pt((column+2)*cellWide, (row+2)*cellHigh), character, now)
			column++
		}
	}
	return screen
}

func setColours(t *testing.T, now, plain theme, sequence string) theme {
	t.Helper()
	cube := map[string]color.Gray{"16": {0x00}, "231": {0xFF}} // xterm's 256 colors
	parts := strings.Split(strings.Trim(sequence, "\x1b[m"), ";")
	for len(parts) > 0 {
		switch {
		case parts[0] == "0":
			now, parts = plain, parts[1:]
		case len(parts) >= 3 && parts[1] == "5" && (parts[0] == "38" || parts[0] == "48"):
			shade, known := cube[parts[2]]
			require.True(t, known, parts[2])
			if parts[0] == "38" {
				now.ink = shade
			} else {
				now.paper = shade
			}
			parts = parts[3:]
		default:
			require.Fail(t, "unknown colours", "%q", sequence)
		}
	}
	return now
}

func drawCell(t *testing.T, screen draw.Image, corner image.Point, character rune, in theme) {
	t.Helper()
	upper := image.Rect(0, 0, cellWide, cellHigh/2).Add(corner)
	lower := upper.Add(image.Pt(0, cellHigh/2))
	shades, known := map[rune][2]color.Gray{
		' ': {in.paper, in.paper}, '▀': {in.ink, in.paper}, '▄': {in.paper, in.ink}, '█': {in.ink, in.ink},
	}[character]
	require.True(t, known, "%q", character)
	fill(screen, upper, shades[0])
	fill(screen, lower, shades[1])
}

func fill(screen draw.Image, area image.Rectangle, shade color.Gray) {
	draw.Draw(screen, area, image.NewUniform(shade), image.Point{}, draw.Src)
}

// TestSecretOnlyInTheCode checks that the image and the text contain the secret in the QR code and nowhere else.
func TestSecretOnlyInTheCode(t *testing.T) {
	t.Parallel()
	enrolment, err := newCodes(t, "Lockbox").Enrolment(domain.NewSecret(rfcSecret), "anna")
	require.NoError(t, err)
	for _, text := range []string{rfcSecret, rfcBase32, "otpauth"} {
		require.NotContains(t, string(enrolment.PNG), text)
		require.NotContains(t, enrolment.Terminal, text)
	}
}
