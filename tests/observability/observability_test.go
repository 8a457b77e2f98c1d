package observability

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// notMetrics lists names that look like metrics in the documentation, but are not.
var notMetrics = []string{"lockbox_database"}

// TestMetricsInTheDocumentation verifies that each metric in the documentation and in the folder deploy exists on a
// running server. It also verifies that docs/monitoring.md lists all metrics of the server with their labels.
func TestMetricsInTheDocumentation(t *testing.T) {
	t.Parallel()
	families := scrape(t)
	pattern := regexp.MustCompile(`\blockbox_[a-z_]+…?`)
	for _, path := range pages(t) {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		for _, name := range pattern.FindAllString(string(text), -1) {
			prefix, isPrefix := strings.CutSuffix(name, "…")
			exists := slices.Contains(notMetrics, name) || families[name] != nil
			for metric := range families {
				exists = exists || isPrefix && strings.HasPrefix(metric, prefix)
			}
			assert.True(t, exists, "%s names %s", path, name)
		}
	}
	documented := documentedMetrics(t)
	for name, family := range families {
		if !strings.HasPrefix(name, "lockbox_") || family.Type == "" {
			continue // a metric of a library, or a part of a histogram
		}
		labels, found := documented[name]
		if !assert.True(t, found, "docs/monitoring.md lacks %s", name) {
			continue
		}
		for label := range family.Labels {
			if label != "le" { // le is the upper bound of a histogram's bucket
				assert.Contains(t, labels, "`"+label+"`", name)
			}
		}
		assert.Equal(t, len(regexp.MustCompile("`").FindAllString(labels, -1))/2,
			len(family.Labels)-boolToInt(family.Type == "histogram"), "labels of %s in docs/monitoring.md", name)
	}
}

func boolToInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// documentedMetrics reads the table in docs/monitoring.md. It maps each metric to the table cell that lists the
// metric's labels.
func documentedMetrics(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile(root + "/docs/monitoring.md")
	require.NoError(t, err)
	documented := map[string]string{}
	rows := regexp.MustCompile("(?m)^\\| (`lockbox_.*?) \\|(.*?)\\|.*$")
	for _, row := range rows.FindAllStringSubmatch(string(text), -1) {
		for _, name := range regexp.MustCompile(`lockbox_[a-z_]+`).FindAllString(row[1], -1) {
			documented[name] = row[2]
		}
	}
	require.NotEmpty(t, documented)
	return documented
}

// pages returns the paths of the files that operators read. It omits the changelog, which may name metrics that no
// longer exist.
func pages(t *testing.T) []string {
	t.Helper()
	files := []string{root + "/README.md", root + "/SECURITY.md"}
	for _, dir := range []string{root + "/docs", root + "/deploy"} {
		require.NoError(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
			if err == nil && !entry.IsDir() {
				files = append(files, path)
			}
			return err
		}))
	}
	return files
}

// TestHelpTexts verifies that each help text is a sentence. If the name of the metric contains a unit, the help text
// must name the unit too.
func TestHelpTexts(t *testing.T) {
	t.Parallel()
	sentence := regexp.MustCompile(`^[A-Z1].*[^.]\.$`)
	for name, family := range scrape(t) {
		if !strings.HasPrefix(name, "lockbox_") || family.Type == "" {
			continue
		}
		assert.Regexp(t, sentence, family.Help, name)
		assert.GreaterOrEqual(t, len(strings.Fields(family.Help)), 5, name)
		assert.Equal(t, family.Type == "counter", strings.HasSuffix(name, "_total"), name)
		if strings.Contains(name, "_seconds") {
			assert.Contains(t, family.Help, "in seconds", name)
		}
		if strings.HasSuffix(name, "_bytes") {
			assert.Contains(t, family.Help, "in bytes", name)
		}
	}
}

// TestQueries verifies that the alert rules and the dashboard use only metrics, labels and label values that a running
// server has. TestPromtool checks the syntax.
func TestQueries(t *testing.T) {
	t.Parallel()
	families := scrape(t)
	rules, err := alerts()
	require.NoError(t, err)
	require.NotEmpty(t, rules)
	charts, err := panels()
	require.NoError(t, err)
	require.NotEmpty(t, charts)
	// Prometheus itself adds the labels "instance" and "job" and the metric "up" when it scrapes a server.
	targetLabels := []string{"instance", "job"}
	families["up"] = &Family{}
	for _, query := range append(rules, charts...) {
		selectors := query.selectors()
		require.NotEmpty(t, selectors, query.Name)
		has := map[string]bool{}
		for _, selector := range selectors {
			family := families[selector.Metric]
			if !assert.NotNil(t, family, "%s: no metric %s", query.Name, selector.Metric) {
				continue
			}
			for label := range family.Labels {
				has[label] = true
			}
			for label, value := range selector.Labels {
				if slices.Contains(targetLabels, label) {
					continue
				}
				values := family.Labels[label]
				if !assert.NotNil(t, values, "%s: %s has no label %s", query.Name, selector.Metric, label) {
					continue
				}
				// A value of the labels "route" and "status" exists only after a request with that route or status.
				if value != "" && label != "status" && label != "route" {
					assert.True(t, values[value], "%s: no %s{%s=%q}", query.Name, selector.Metric, label, value)
				}
			}
		}
		for _, label := range query.grouped() {
			assert.True(t, has[label] || slices.Contains(targetLabels, label), "%s: no label %s", query.Name, label)
		}
	}
}

// TestRoutesInQueries verifies that the server has all routes that queries contain.
func TestRoutesInQueries(t *testing.T) {
	t.Parallel()
	routes, err := os.ReadFile(root + "/adapters/httpapi/routes.go")
	require.NoError(t, err)
	rules, err := alerts()
	require.NoError(t, err)
	charts, err := panels()
	require.NoError(t, err)
	for _, query := range append(rules, charts...) {
		for _, selector := range query.selectors() {
			if route := selector.Labels["route"]; route != "" {
				assert.Contains(t, string(routes), `"`+route+`"`, query.Name)
			}
		}
	}
}

// TestEachAlertIsTested verifies that alerts_test.yml contains two test cases for each alert: in one the alert fires,
// in the other it does not. It also verifies that docs/monitoring.md describes exactly these alerts.
func TestEachAlertIsTested(t *testing.T) {
	t.Parallel()
	rules, err := alerts()
	require.NoError(t, err)
	tests, err := os.ReadFile(folder + "/alerts_test.yml")
	require.NoError(t, err)
	docs, err := os.ReadFile(root + "/docs/monitoring.md")
	require.NoError(t, err)
	for _, rule := range rules {
		assert.Contains(t, string(tests), "name: "+rule.Name+" fires\n")
		assert.Contains(t, string(tests), "name: "+rule.Name+" does not fire\n")
		assert.Contains(t, string(docs), "`"+rule.Name+"`")
	}
	for _, name := range regexp.MustCompile("`(Lockbox[A-Z]\\w+)`").FindAllStringSubmatch(string(docs), -1) {
		assert.True(t, slices.ContainsFunc(rules, func(q Query) bool { return q.Name == name[1] }), name[1])
	}
}
