package httpapi

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"

	"github.com/labstack/echo/v4"

	"github.com/lockbox-go/lockbox/domain"
)

// MatrixError is a line of the table of errors of contract B.
type MatrixError struct {
	ID     int
	Status int
	Text   string
}

var (
	matrixNoRoute   = MatrixError{404, http.StatusNotFound, "Route not found"}
	matrixHostSays  = MatrixError{900, http.StatusBadRequest, "the droplet host's reason"}
	matrixNoSignIn  = MatrixError{901, http.StatusBadRequest, `The request body must contain "code" and "username"`}
	matrixWrongCode = MatrixError{902, http.StatusBadRequest, "TOTP code invalid"}
	matrixNoUser    = MatrixError{903, http.StatusBadRequest, "User not found"}
	matrixNotYours  = MatrixError{904, http.StatusUnauthorized, "Only system owner can revoke access for others"}
	matrixNoGroup   = MatrixError{905, http.StatusBadRequest, "The group is unknown"}
	matrixTwoOwners = MatrixError{906, http.StatusForbidden, "The system cannot have multiple owners"}
	matrixNoToken   = MatrixError{908, http.StatusUnauthorized, "Access token not found"}
	matrixExpired   = MatrixError{909, http.StatusUnauthorized, "Access token expired"}
	matrixNoRefresh = MatrixError{910, http.StatusUnauthorized, "Refresh token not found"}
	matrixDenied    = MatrixError{912, http.StatusForbidden, "Access denied"}
	matrixNoAccount = MatrixError{913, http.StatusBadRequest, `The request body must contain "group" and "username"`}
	matrixTaken     = MatrixError{914, http.StatusBadRequest, "Username is already taken"}
)

var codeHostRefused = domain.HostRefused("").Code

// matrixErrors are found by the code of a refusal.
var matrixErrors = map[string]MatrixError{
	"route_not_found":              matrixNoRoute,
	codeMethodNotAllowed:           matrixNoRoute,
	codeHostRefused:                matrixHostSays,
	"sign_in_incomplete":           matrixNoSignIn,
	domain.ErrCodeInvalid.Code:     matrixWrongCode,
	domain.ErrUserNotFound.Code:    matrixNoUser,
	domain.ErrRevokeOthers.Code:    matrixNotYours,
	domain.ErrUnknownGroup.Code:    matrixNoGroup,
	domain.ErrSecondOwner.Code:     matrixTwoOwners,
	domain.ErrUnauthenticated.Code: matrixNoToken,
	domain.ErrRefreshToken.Code:    matrixNoRefresh,
	domain.ErrGroupTooLow.Code:     matrixDenied,
	"account_incomplete":           matrixNoAccount,
	"invalid_username":             matrixNoAccount,
	domain.ErrUserExists.Code:      matrixTaken,
}

// MatrixErrors lists the table by number. The documentation is checked against it.
func MatrixErrors() []MatrixError {
	lines := []MatrixError{matrixExpired}
	for _, line := range matrixErrors {
		if !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	slices.SortFunc(lines, func(a, b MatrixError) int { return a.ID - b.ID })
	return lines
}

// matrixError writes a refusal as contract B has it. What is not in its table has the errorId 0, a fitting status and
// the sentence of the refusal.
func matrixError(refusal *domain.Error, status int) MatrixError {
	if errors.Is(refusal, domain.ErrCredentialExpired) {
		return matrixExpired
	}
	if known, ok := matrixErrors[refusal.Code]; ok {
		if refusal.Code == codeHostRefused {
			known.Text = refusal.Message // each time another
		}
		return known
	}
	if refusal.Code == domain.ErrOwnerStays.Code {
		status = http.StatusForbidden
	}
	return MatrixError{Status: status, Text: refusal.Message}
}

func writeMatrixError(c echo.Context, refusal *domain.Error, status int) {
	line := matrixError(refusal, status)
	setErrorHeaders(c, refusal, line.Status)
	body, _ := json.Marshal(struct {
		Error string `json:"error"`
		ID    int    `json:"errorId"`
	}{line.Text, line.ID})
	_ = c.Blob(line.Status, contentTypeJSON, body)
}
