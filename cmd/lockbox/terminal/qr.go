package terminal

import (
	"bytes"
	"image"
	"image/png"
	"strings"
)

// quietZone is the white border of a QR code, in modules (ISO/IEC 18004).
const quietZone = 4

// maxPictureSide is how many pixels a picture may be wide and high: the largest QR code has 185 modules with its border.
const maxPictureSide = 2048

const (
	// whiteOnBlack is from the cube of 256 colours, which the theme of a terminal leaves as it is.
	whiteOnBlack = "\x1b[38;5;231;48;5;16m"
	plain        = "\x1b[0m"
)

// qrText turns the picture of a QR code, as the server draws it, into text for a terminal: a character is one module wide
// and two high. It returns "" for what is no such picture; the secret is printed beside it anyway.
func qrText(picture []byte) string {
	// A small file can be a picture that takes more memory than there is.
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
	dark := func(x, y int) bool { return y < side && isDark(decoded, x*scale, y*scale) }
	blocks := map[[2]bool]rune{ // upper and lower module: dark?
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

// moduleSize returns how many pixels wide a module is: the first dark one of a QR code is right below the quiet zone and
// right of it. It returns 0 when that does not fit a square of a size that QR codes have.
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

func isDark(picture image.Image, x, y int) bool {
	at := picture.Bounds().Min.Add(image.Pt(x, y))
	red, _, _, _ := picture.At(at.X, at.Y).RGBA()
	return red < 1<<15
}
