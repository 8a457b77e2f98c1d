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
	// quietZone is the width of the white border that ISO/IEC 18004 requires, in modules.
	quietZone = 4
	// minPixels is the minimum width of an image, in pixels. A phone can scan an image of this width from a screen.
	minPixels = 320
	// minScale is the minimum width of a module, in pixels.
	minScale = 4
)

// symbol is a QR code with its quiet zone.
type symbol struct {
	side int // width and height in modules, including the quiet zone
	code image.Image
}

// draw returns the QR code of a text. The text contains a secret. draw uses byte mode, because the errors of the
// automatic mode quote the text.
func draw(text string, level qr.ErrorCorrectionLevel) (symbol, error) {
	code, err := qr.Encode(text, level, qr.Unicode)
	if err != nil {
		return symbol{}, fmt.Errorf("draw a QR code: %w", err)
	}
	return symbol{side: code.Bounds().Dx() + 2*quietZone, code: code}, nil
}

// dark reports whether a module is black. Modules outside the code are white.
func (s symbol) dark(x, y int) bool {
	at := image.Pt(x-quietZone, y-quietZone)
	return at.In(s.code.Bounds()) && s.code.At(at.X, at.Y) == color.Black
}

// png returns a black and white PNG with one bit per pixel. Each module has the same width and height, a whole number
// of pixels.
func (s symbol) png() ([]byte, error) {
	scale := max(minScale, (minPixels+s.side-1)/s.side)
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
	// whiteOnBlack uses colors of xterm's 256-color palette ("38;5" and "48;5" in ctlseqs). Terminal themes redefine
	// the first 16 colors but not these.
	whiteOnBlack = "\x1b[38;5;231;48;5;16m"
	plain        = "\x1b[0m"
)

// terminal returns the symbol as text. Each character covers one module in width and two in height, because a character
// is about twice as high as it is wide. The block characters are white on a black background and stand for the light
// modules. Phones can therefore scan the code on dark and on light terminals. On dark terminals, they can scan it even
// without colors, for example in a log. If the block characters stood for the dark modules, the code without colors
// would be inverted on dark terminals. Some phones cannot scan an inverted code.
func (s symbol) terminal() string {
	blocks := map[[2]bool]rune{ // key: whether the upper and the lower module are dark
		{false, false}: '█', {false, true}: '▀', {true, false}: '▄', {true, true}: ' ',
	}
	var out strings.Builder
	// The number of rows is odd, so the last line includes a light row outside of the symbol.
	for y := 0; y < s.side; y += 2 {
		out.WriteString(whiteOnBlack)
		for x := range s.side {
			out.WriteRune(blocks[[2]bool{s.dark(x, y), s.dark(x, y+1)}])
		}
		// Reset the colors at each line end, because a scrolling terminal fills new lines with the current background.
		out.WriteString(plain + "\n")
	}
	return out.String()
}
