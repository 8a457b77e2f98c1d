package terminal

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"strings"
	"testing"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"
	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/adapters/otp"
	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// TestQRText decodes the output of qrText with an independent QR reader.
func TestQRText(t *testing.T) {
	t.Parallel()
	for _, account := range []string{"a", "anna", strings.Repeat("a", 50)} {
		enrolment := enrol(t, account)
		bitmap, err := gozxing.NewBinaryBitmapFromImage(photograph(t, qrText(enrolment.PNG)))
		require.NoError(t, err)
		read, err := qrcode.NewQRCodeReader().Decode(bitmap,
			map[gozxing.DecodeHintType]any{gozxing.DecodeHintType_PURE_BARCODE: true})
		require.NoError(t, err, account)
		require.Equal(t, enrolment.URI, read.GetText())
	}
}

func enrol(t *testing.T, account string) ports.Enrolment {
	t.Helper()
	codes, err := otp.New(otp.Config{Issuer: "Lockbox"})
	require.NoError(t, err)
	enrolment, err := codes.Enrolment(domain.NewSecret("12345678901234567890"), account)
	require.NoError(t, err)
	return enrolment
}

// photograph converts the text back to a picture. Each module becomes two by two pixels. Blocks become white pixels,
// and all other pixels are dark.
func photograph(t *testing.T, text string) image.Image {
	t.Helper()
	var lines [][]rune
	for line := range strings.Lines(text) {
		inside, found := strings.CutPrefix(strings.TrimSuffix(line, plain+"\n"), whiteOnBlack)
		require.True(t, found)
		lines = append(lines, []rune(inside))
	}
	require.NotEmpty(t, lines)
	picture := image.NewGray(image.Rect(0, 0, 2*len(lines[0]), 4*len(lines)))
	for y, line := range lines {
		require.LessOrEqual(t, len(line), 80, "the code must fit a terminal of 80 columns")
		for x, block := range line {
			for dot := range 8 {
				upper := dot < 4
				if block == '█' || block == '▀' && upper || block == '▄' && !upper {
					picture.Set(2*x+dot%2, 4*y+dot/2, color.White)
				}
			}
		}
	}
	return picture
}

// TestQRTextRejectsOtherPictures checks that a picture without a QR code results in no text.
func TestQRTextRejectsOtherPictures(t *testing.T) {
	t.Parallel()
	drawn := enrol(t, "anna").PNG
	for name, picture := range map[string][]byte{
		"empty":              nil,
		"not a picture":      []byte("no picture"),
		"truncated":          drawn[:len(drawn)/2],
		"white":              square(t, 370, 0),
		"black":              square(t, 370, 370),
		"one dot":            square(t, 370, 36),
		"not a QR code size": square(t, 100, 4),
		"too large":          square(t, 3700, 400),
	} {
		require.Empty(t, qrText(picture), name)
	}
}

// square returns a white picture with one dark pixel on the diagonal. The argument dark is the position of this pixel.
// If it is 0, the whole picture is white. If it equals side, the whole picture is black.
func square(t *testing.T, side, dark int) []byte {
	t.Helper()
	picture := image.NewGray(image.Rect(0, 0, side, side))
	for i := range picture.Pix {
		picture.Pix[i] = 255
	}
	switch dark {
	case 0:
	case side:
		clear(picture.Pix)
	default:
		picture.Set(dark, dark, color.Black)
	}
	var out bytes.Buffer
	require.NoError(t, png.Encode(&out, picture))
	return out.Bytes()
}
