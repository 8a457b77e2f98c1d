package httpapi

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// codeText is a one-time code in a body: text, or the number that some clients make of it, whose leading zeros are
// lost on the way. Anything else is no code.
type codeText string

// UnmarshalJSON reads a code.
func (c *codeText) UnmarshalJSON(raw []byte) error {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		*c = codeText(text)
		return nil
	}
	if number, err := strconv.ParseUint(string(raw), 10, 32); err == nil {
		*c = codeText(fmt.Sprintf("%06d", number))
	}
	return nil
}

// qrURI is a QR code as pages show it.
func qrURI(enrolment ports.Enrolment) string {
	return "data:image/png;base64," + base64.StdEncoding.EncodeToString(enrolment.PNG)
}

// signInBody is how somebody signs in, in either contract.
type signInBody struct {
	Username string   `json:"username"`
	Password string   `json:"password"`
	Code     codeText `json:"code"`
}

type codeBody struct {
	Code codeText `json:"code"`
}

func (a *API) enrolTOTP(c echo.Context, by domain.Requester) error {
	var body codeBody
	if _, err := a.bindOptional(c, &body); err != nil {
		return err
	}
	made, err := a.Identity.EnrolTOTP(c.Request().Context(), by, param(c, "username"), string(body.Code))
	if err != nil {
		return err
	}
	recovery := make([]string, len(made.Recovery))
	for i, code := range made.Recovery {
		recovery[i] = code.String()
	}
	return answerStatus(c, http.StatusCreated, struct {
		Secret        string   `json:"secret"`
		URI           string   `json:"uri"`
		QR            string   `json:"qr"`
		RecoveryCodes []string `json:"recoveryCodes"`
	}{made.Enrolment.Secret, made.Enrolment.URI, qrURI(made.Enrolment), recovery})
}

func (a *API) confirmTOTP(c echo.Context, by domain.Requester) error {
	var body codeBody
	if err := a.bind(c, &body); err != nil {
		return err
	}
	if err := a.Identity.ConfirmTOTP(c.Request().Context(), by, param(c, "username"), string(body.Code)); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

func (a *API) removeTOTP(c echo.Context, by domain.Requester) error {
	var body codeBody
	if _, err := a.bindOptional(c, &body); err != nil {
		return err
	}
	if err := a.Identity.RemoveTOTP(c.Request().Context(), by, param(c, "username"), string(body.Code)); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}
