package otp

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"strings"

	"github.com/boombuler/barcode/qr"
)

const (
	// quietZone is the white border that ISO/IEC 18004 demands, in modules.
	quietZone = 4
	// leastPixels is how wide a picture is at least, for a phone that is held in front of a screen.
	leastPixels = 320
	// leastScale is how many pixels wide a module is at least.
	leastScale = 4
)

// symbol is a QR code in its quiet zone.
type symbol struct {
	side int // modules, with the quiet zone
	code image.Image
}

// draw makes the QR code of a text. It asks for the mode of bytes, since the automatic one quotes the text in its
// error, and this text holds a secret.
func draw(text string, level qr.ErrorCorrectionLevel) (symbol, error) {
	code, err := qr.Encode(text, level, qr.Unicode)
	if err != nil {
		return symbol{}, fmt.Errorf("draw a QR code: %w", err)
	}
	return symbol{side: code.Bounds().Dx() + 2*quietZone, code: code}, nil
}

// dark reports the colour of a module; all around the symbol is light.
func (s symbol) dark(x, y int) bool {
	at := image.Pt(x-quietZone, y-quietZone)
	return at.In(s.code.Bounds()) && s.code.At(at.X, at.Y) == color.Black
}

// png is the symbol in black and white, one bit for a pixel, and the same whole number of pixels for each module.
func (s symbol) png() ([]byte, error) {
	scale := max(leastScale, (leastPixels+s.side-1)/s.side)
	picture := image.NewPaletted(image.Rect(0, 0, s.side*scale, s.side*scale), color.Palette{color.White, color.Black})
	for y := range picture.Rect.Dy() {
		for x := range picture.Rect.Dx() {
			if s.dark(x/scale, y/scale) {
				picture.SetColorIndex(x, y, 1)
			}
		}
	}
	var out bytes.Buffer
	if err := png.Encode(&out, picture); err != nil {
		return nil, fmt.Errorf("write a PNG: %w", err)
	}
	return out.Bytes(), nil
}

const (
	// whiteOnBlack names black and white of the cube of 256 colours (xterm's ctlseqs, "38;5" and "48;5"): the theme of a
	// terminal changes the first sixteen and leaves these.
	whiteOnBlack = "\x1b[38;5;231;48;5;16m"
	plain        = "\x1b[0m"
)

// terminal is the symbol as text: a character is one module wide and two high, since it is about twice as high as wide.
// The blocks are the light modules, in white, and what they leave is dark, in black: right on a dark and a light
// terminal, and where something drops the colours (a log, a pipe) still right on a dark one, which most are. A phone
// that reads no inverted codes could not read the other way round there.
func (s symbol) terminal() string {
	blocks := map[[2]bool]rune{ // upper and lower module: dark?
		{false, false}: '█', {false, true}: '▀', {true, false}: '▄', {true, true}: ' ',
	}
	var out strings.Builder
	// The side is odd, so the last line reaches one module beyond it, which is light too.
	for y := 0; y < s.side; y += 2 {
		out.WriteString(whiteOnBlack)
		for x := range s.side {
			out.WriteRune(blocks[[2]bool{s.dark(x, y), s.dark(x, y+1)}])
		}
		// The colours end with each line: a terminal that scrolls fills new lines with the background in use.
		out.WriteString(plain + "\n")
	}
	return out.String()
}
