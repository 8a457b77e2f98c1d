package observability

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// root is the path of the repository. folder is the path of the folder that contains the alert rules and the dashboard.
const (
	root   = "../.."
	folder = root + "/deploy/observability"
)

// Query is a PromQL expression. It belongs to an alert or to a panel of the dashboard.
type Query struct {
	// Name is the name of the alert or the title of the panel.
	Name string
	// Expr is the expression. Variables of Grafana are already replaced with values.
	Expr string
}

// alerts returns the expressions of the alert rules.
func alerts() ([]Query, error) {
	text, err := os.ReadFile(filepath.Join(folder, "alerts.yml"))
	if err != nil {
		return nil, err
	}
	var file struct {
		Groups []struct {
			Rules []struct {
				Alert string `yaml:"alert"`
				Expr  string `yaml:"expr"`
			} `yaml:"rules"`
		} `yaml:"groups"`
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		return nil, err
	}
	var queries []Query
	for _, group := range file.Groups {
		for _, rule := range group.Rules {
			queries = append(queries, Query{rule.Alert, rule.Expr})
		}
	}
	return queries, nil
}

// panels returns the expressions of all panels of the dashboard.
func panels() ([]Query, error) {
	text, err := os.ReadFile(filepath.Join(folder, "dashboard.json"))
	if err != nil {
		return nil, err
	}
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		return nil, err
	}
	variables := strings.NewReplacer("$__rate_interval", "5m", "$__range", "6h", "$instance", ".*")
	var queries []Query
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			queries = append(queries, Query{panel.Title, variables.Replace(target.Expr)})
		}
	}
	return queries, nil
}

// Selector is a part of a query: the name of a metric and the label matchers that follow it.
type Selector struct {
	Metric string
	// Labels maps the label of each matcher to the value that the matcher requires. For an operator other than =, the
	// value is "".
	Labels map[string]string
}

var (
	selectorPattern = regexp.MustCompile(`\b((?:lockbox|go|process)_\w+|up)\b(?:\{([^}]*)\})?`)
	matcherPattern  = regexp.MustCompile(`(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"`)
	groupPattern    = regexp.MustCompile(`\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)`)
)

// selectors returns the selectors in a query. It finds them with regular expressions instead of a parser, because
// promtool already checks the syntax.
func (q Query) selectors() []Selector {
	var list []Selector
	for _, found := range selectorPattern.FindAllStringSubmatch(groupPattern.ReplaceAllString(q.Expr, ""), -1) {
		selector := Selector{Metric: found[1], Labels: map[string]string{}}
		for _, matcher := range matcherPattern.FindAllStringSubmatch(found[2], -1) {
			value := ""
			if matcher[2] == "=" {
				value = matcher[3]
			}
			selector.Labels[matcher[1]] = value
		}
		list = append(list, selector)
	}
	return list
}

// grouped returns the labels in all clauses such as by (…), without (…) and on (…).
func (q Query) grouped() []string {
	var labels []string
	for _, found := range groupPattern.FindAllStringSubmatch(q.Expr, -1) {
		for label := range strings.SplitSeq(found[1], ",") {
			if label = strings.TrimSpace(label); label != "" {
				labels = append(labels, label)
			}
		}
	}
	return labels
}
