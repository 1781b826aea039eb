package monitor_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/monitor"
	"github.com/fdbelection/fdbelection/subspace"
)

const rulesFolder = "../deploy/prometheus/"

var (
	nameRE   = regexp.MustCompile(`\bfdbelection_[a-z_]+\b`)
	descRE   = regexp.MustCompile(`fqName: "([a-z_]+)".*variableLabels: \{([a-z_,]*)\}`)
	suffixRE = regexp.MustCompile(`_(bucket|count|sum)$`)
)

// metrics returns the names of all metrics of this package, each with its labels.
func metrics() map[string][]string {
	names := map[string][]string{}
	for _, c := range []prometheus.Collector{
		monitor.NewElectors(monitor.ElectorsOptions{}),
		monitor.NewElections(memkv.New(memkv.Options{}), subspace.New("root"), monitor.ElectionsOptions{}),
		monitor.NewMembers(monitor.MembersOptions{}),
		monitor.NewGroups(memkv.New(memkv.Options{}), subspace.New("root"), monitor.GroupsOptions{}),
	} {
		descs := make(chan *prometheus.Desc)
		go func() {
			c.Describe(descs)
			close(descs)
		}()
		for desc := range descs {
			found := descRE.FindStringSubmatch(desc.String())
			names[found[1]] = strings.FieldsFunc(found[2], func(r rune) bool { return r == ',' })
		}
	}
	return names
}

// Every metric in the alert rules, their tests and the documentation exists.
func TestRulesNameMetrics(t *testing.T) {
	known := metrics()
	require.Greater(t, len(known), 30)
	for _, file := range []string{rulesFolder + "alerts.yml", rulesFolder + "alerts_test.yml", "../docs/monitoring.md"} {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		names := nameRE.FindAllString(string(text), -1)
		require.NotEmpty(t, names, file)
		for _, name := range names {
			if _, ok := known[name]; !ok {
				require.Contains(t, known, suffixRE.ReplaceAllString(name, ""), "%s names %s, which this package does not export", file, name)
			}
		}
	}
}

// The documentation lists every metric.
func TestMetricsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../docs/monitoring.md")
	require.NoError(t, err)
	for name := range metrics() {
		require.Contains(t, string(text), "`"+name+"`")
	}
}

// Each rule has a test in which it fires, and one in which it stays silent all the time.
// .ci/rules runs them.
func TestRulesFireAndStaySilent(t *testing.T) {
	var rules struct {
		Groups []struct {
			Rules []struct{ Alert, Expr string }
		}
	}
	read(t, "alerts.yml", &rules)
	var tests struct {
		Tests []struct {
			Name  string
			Rules []struct {
				Alert  string `yaml:"alertname"`
				Alerts []any  `yaml:"exp_alerts"`
			} `yaml:"alert_rule_test"`
		}
	}
	read(t, "alerts_test.yml", &tests)
	fires, silent := map[string]bool{}, map[string]bool{}
	for _, test := range tests.Tests {
		require.NotEmpty(t, test.Rules, test.Name)
		alert, fired := test.Rules[0].Alert, false
		for _, check := range test.Rules {
			require.Equal(t, alert, check.Alert, test.Name)
			fired = fired || len(check.Alerts) > 0
		}
		if fired {
			fires[alert] = true
		} else {
			silent[alert] = true
		}
	}
	count := 0
	for _, group := range rules.Groups {
		for _, rule := range group.Rules {
			count++
			require.True(t, fires[rule.Alert], "%s fires in no test", rule.Alert)
			require.True(t, silent[rule.Alert], "%s stays silent in no test", rule.Alert)
			require.Empty(t, faults(rule.Expr, ""), rule.Alert)
		}
	}
	require.Len(t, fires, count)
	for _, alert := range []string{"NoLeader", "Flapping", "Jeopardy", "TermFell", "DuplicateID", "CandidateMissing", "TwoLeaders", "GroupShardFree", "GroupImbalance", "GroupMemberSilent"} {
		require.True(t, fires["Fdbelection"+alert], alert)
	}
}

func read(t *testing.T, file string, into any) {
	t.Helper()
	text, err := os.ReadFile(rulesFolder + file)
	require.NoError(t, err)
	require.NoError(t, yaml.Unmarshal(text, into), file)
}
