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

// notMetrics are names in the documentation that look like metrics.
var notMetrics = []string{"lockbox_database"}

// TestMetricsInTheDocumentation verifies that a running server has each metric that the documentation or a file in
// deploy names. It also verifies that the page about monitoring lists each metric of the server with its labels.
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

// documentedMetrics returns the metrics in the table of docs/monitoring.md, each with the cell of its labels.
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

// pages returns the files that operators read. The changelog also names metrics of earlier releases.
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

// TestHelpTexts verifies that each help text is a sentence and states the unit that the name of the metric contains.
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

// TestQueries verifies that a running server has each metric, label and label value in the alert rules and the
// dashboard. promtool checks the syntax; see TestPromtool.
func TestQueries(t *testing.T) {
	t.Parallel()
	families := scrape(t)
	rules, err := alerts()
	require.NoError(t, err)
	require.NotEmpty(t, rules)
	charts, err := panels()
	require.NoError(t, err)
	require.NotEmpty(t, charts)
	// Prometheus adds these labels and this metric when it scrapes a server.
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
				// Routes and statuses exist only after a request.
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

// TestRoutesInQueries verifies that the routes in queries are routes of the server.
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

// TestEachAlertIsTested verifies that alerts_test.yml has, for each alert, a case in which the alert fires and a case
// in which it does not. It also verifies that docs/monitoring.md has a remedy for each alert.
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
