package httpapi

import (
	"encoding/json"
	"strconv"
	"time"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// defaultEvents and maxEvents are the default and the maximum number of audit events in a response.
const (
	defaultEvents = 100
	maxEvents     = 1000
)

// listEvents answers GET /audit with the audit events of the whole system, for admins.
func (a *API) listEvents(r *request) error {
	filter, err := r.eventFilter()
	if err != nil {
		return err
	}
	page, err := a.identity.ListEvents(r.ctx(), r.by, filter)
	return r.json(listOf(page), err)
}

// listBoxEvents answers GET /boxes/{box}/audit with the audit events of one box, for its boxadmins and for admins.
func (a *API) listBoxEvents(r *request) error {
	filter, err := r.eventFilter()
	if err != nil {
		return err
	}
	page, err := a.vault.ListBoxEvents(r.ctx(), r.by, r.param("box"), filter)
	return r.json(listOf(page), err)
}

// eventFilter reads the query parameters "limit", "before", "action" and "user".
func (r *request) eventFilter() (ports.EventFilter, error) {
	filter := ports.EventFilter{Limit: defaultEvents}
	var err error
	if text := r.QueryParam("limit"); text != "" {
		if filter.Limit, err = strconv.Atoi(text); err != nil || filter.Limit < 1 || filter.Limit > maxEvents {
			return filter, domain.InvalidField("limit", "invalid_limit", "limit must be a whole number from 1 to 1000")
		}
	}
	if text := r.QueryParam("before"); text != "" {
		var ok bool
		if filter.Before, ok = domain.ParseID[domain.Event](text); !ok {
			return filter, domain.InvalidField("before", "invalid_before",
				`the query parameter "before" must be the id of an audit event: `+
					`send the value of the field "next" in the previous page`)
		}
	}
	if text := r.QueryParam("action"); text != "" {
		if filter.Action, err = domain.ParseAction(text); err != nil {
			return filter, err
		}
	}
	// OperatorActor is not a valid username, so it never matches the events of a user.
	if text := r.QueryParam("user"); text == domain.OperatorActor {
		filter.Actor = domain.OperatorActor
	} else if text != "" {
		if filter.Actor, err = domain.ParseUserName(text); err != nil {
			return filter, domain.InvalidField("user", "invalid_user", "user must be a username")
		}
	}
	return filter, nil
}

// eventLine is an audit event in a response. Fields that do not apply to the event are null.
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
	// Suppressed is present only in an event that summarises several refusals. It is the number of these refusals.
	Suppressed int `json:"suppressed,omitempty"`
	// Changes is present only if the action changed a property.
	Changes []changeLine `json:"changes,omitempty"`
}

// changeLine is a changed property. From is null if the property is new. To is null if the property no longer exists.
type changeLine struct {
	Property string  `json:"property"`
	From     *string `json:"from"`
	To       *string `json:"to"`
}

// changeLines converts the changes of an event to their form in responses. It returns nil if there are none.
func changeLines(changes []domain.Change) []changeLine {
	var lines []changeLine
	for _, change := range changes {
		lines = append(lines, changeLine{
			Property: change.Property.String(),
			From:     orNull(change.From),
			To:       orNull(change.To),
		})
	}
	return lines
}

// eventList is a page of audit events, newest first. To request the next page, the client sends the value of Next as
// the query parameter "before". Next is null on the last page.
type eventList struct {
	Events []eventLine `json:"events"`
	Next   *string     `json:"next"`
}

// listOf converts a page of events to its form in responses.
func listOf(page ports.EventPage) eventList {
	list := eventList{Events: make([]eventLine, len(page.Events)), Next: idOrNull(page.Next)}
	for i, event := range page.Events {
		list.Events[i] = eventLineOf(event)
	}
	return list
}

// eventLineOf converts an event to its form in responses.
func eventLineOf(e domain.Event) eventLine {
	return eventLine{
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
		Suppressed:   e.Suppressed,
		Changes:      changeLines(e.Changes),
	}
}

// EncodeEvent returns an event as one line of JSON, as in the responses of GET /audit. The audit stream uses it.
func EncodeEvent(event domain.Event) ([]byte, error) { return json.Marshal(eventLineOf(event)) }
