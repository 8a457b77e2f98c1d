package terminal

import (
	"bytes"
	"image"
	"image/png"
	"strings"
)

// quietZone is the white border of a QR code, in modules (ISO/IEC 18004).
const quietZone = 4

// maxPictureSide is the maximum width and height of a picture in pixels. The largest QR code with its border is 185
// modules wide. The limit therefore allows 11 pixels per module.
const maxPictureSide = 2048

// Escape sequences of the terminal.
const (
	// whiteOnBlack selects white text on black. It does not use the first 16 of the 256 colours, because terminal
	// themes change them. A phone may be unable to read a code whose colours are not black and white.
	whiteOnBlack = "\x1b[38;5;231;48;5;16m"
	plain        = "\x1b[0m"
)

// qrText converts the QR code in a PNG picture to text for a terminal. Each character shows two modules, one above the
// other. If the picture is not a QR code, qrText returns "". The user does not need the QR code, because the secret is
// also printed as text.
func qrText(picture []byte) string {
	// Check the size before decoding, because a small file can describe a huge picture.
	size, err := png.DecodeConfig(bytes.NewReader(picture))
	if err != nil || size.Width > maxPictureSide || size.Height > maxPictureSide {
		return ""
	}
	decoded, err := png.Decode(bytes.NewReader(picture))
	if err != nil {
		return ""
	}
	scale := moduleSize(decoded)
	if scale == 0 {
		return ""
	}
	side := decoded.Bounds().Dx() / scale
	// Each line of text shows an upper and a lower row of modules. If the number of rows is odd, the last line has no
	// lower row. A missing row counts as white.
	dark := func(x, y int) bool { return y < side && isDark(decoded, x*scale, y*scale) }
	// A key of this map states whether the upper module is dark, and whether the lower module is dark. Blocks are drawn
	// in white.
	blocks := map[[2]bool]rune{
		{false, false}: '█', {false, true}: '▀', {true, false}: '▄', {true, true}: ' ',
	}
	var out strings.Builder
	for y := 0; y < side; y += 2 {
		out.WriteString(whiteOnBlack)
		for x := range side {
			out.WriteRune(blocks[[2]bool{dark(x, y), dark(x, y+1)}])
		}
		out.WriteString(plain + "\n")
	}
	return out.String()
}

// moduleSize returns the width of a module in pixels, or 0 if the picture is not a QR code with a quiet zone. The quiet
// zone is quietZone modules wide. The position of the first dark pixel on the diagonal is therefore quietZone times the
// width of a module. A QR code has 17+4n modules per side.
func moduleSize(picture image.Image) int {
	side := picture.Bounds().Dx()
	for at := range side {
		if !isDark(picture, at, at) {
			continue
		}
		scale := at / quietZone
		if scale == 0 || at%quietZone != 0 || side%scale != 0 || side != picture.Bounds().Dy() ||
			(side/scale-2*quietZone-17)%4 != 0 {
			return 0
		}
		return scale
	}
	return 0
}

// isDark reports whether a pixel is dark. The pictures are black and white, so one channel is enough.
func isDark(picture image.Image, x, y int) bool {
	at := picture.Bounds().Min.Add(image.Pt(x, y))
	red, _, _, _ := picture.At(at.X, at.Y).RGBA()
	return red < 1<<15
}
