package httpapi

import (
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

const (
	defaultEvents = 100
	maxEvents     = 1000
)

func (a *API) listEvents(c echo.Context, by domain.Requester) error {
	filter, err := eventFilter(c)
	if err != nil {
		return err
	}
	events, err := a.Identity.ListEvents(c.Request().Context(), by, filter)
	if err != nil {
		return err
	}
	return answerEvents(c, events, filter.Limit)
}

func (a *API) listBoxEvents(c echo.Context, by domain.Requester) error {
	filter, err := eventFilter(c)
	if err != nil {
		return err
	}
	events, err := a.Vault.ListBoxEvents(c.Request().Context(), by, param(c, "box"), filter)
	if err != nil {
		return err
	}
	return answerEvents(c, events, filter.Limit)
}

// eventFilter reads limit, before, action and user. The filter asks for one event more than the answer will hold, to
// know whether there is a next page.
func eventFilter(c echo.Context) (ports.EventFilter, error) {
	filter := ports.EventFilter{Limit: defaultEvents}
	var err error
	if text := c.QueryParam("limit"); text != "" {
		if filter.Limit, err = strconv.Atoi(text); err != nil || filter.Limit < 1 || filter.Limit > maxEvents {
			return filter, domain.InvalidField("limit", "invalid_limit", "limit must be a number from 1 to 1000")
		}
	}
	if text := c.QueryParam("before"); text != "" {
		var ok bool
		if filter.Before, ok = domain.ParseID[domain.Event](text); !ok {
			return filter, domain.InvalidField("before", "invalid_before",
				"before must be the id of an event, such as next of the page before")
		}
	}
	if text := c.QueryParam("action"); text != "" {
		if filter.Action, err = domain.ParseAction(text); err != nil {
			return filter, err
		}
	}
	if text := c.QueryParam("user"); text == domain.OperatorActor {
		filter.Actor = domain.OperatorActor
	} else if text != "" {
		if filter.Actor, err = domain.ParseUserName(text); err != nil {
			return filter, domain.InvalidField("user", "invalid_user", "user must be the name of a user")
		}
	}
	filter.Limit++
	return filter, nil
}

type eventLine struct {
	ID           string  `json:"id"`
	At           string  `json:"at"`
	Action       string  `json:"action"`
	Outcome      string  `json:"outcome"`
	Actor        *string `json:"actor"`
	ActorID      *string `json:"actorId"`
	CredentialID *string `json:"credentialId"`
	Box          *string `json:"box"`
	BoxID        *string `json:"boxId"`
	Key          *string `json:"key"`
	Target       *string `json:"target"`
	RequestID    *string `json:"requestId"`
	Address      *string `json:"address"`
}

func answerEvents(c echo.Context, events []domain.Event, limit int) error {
	var next *string
	if len(events) == limit {
		events = events[:limit-1]
		next = idOrNull(events[len(events)-1].ID)
	}
	lines := make([]eventLine, len(events))
	for i, e := range events {
		lines[i] = eventLine{
			ID:           e.ID.String(),
			At:           e.At.Format(time.RFC3339Nano),
			Action:       e.Action.String(),
			Outcome:      e.Outcome.String(),
			Actor:        orNull(e.ActorName),
			ActorID:      idOrNull(e.Actor),
			CredentialID: idOrNull(e.Credential),
			Box:          orNull(string(e.BoxName)),
			BoxID:        idOrNull(e.Box),
			Key:          orNull(string(e.Key)),
			Target:       orNull(e.Target),
			RequestID:    orNull(e.RequestID),
			Address:      orNull(e.Address),
		}
	}
	return answer(c, struct {
		Events []eventLine `json:"events"`
		Next   *string     `json:"next"`
	}{lines, next})
}

func idOrNull[T any](id domain.ID[T]) *string {
	if id.IsZero() {
		return nil
	}
	return orNull(id.String())
}
