//go:build linux

package rehearsal

import (
	"os"
	"regexp"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// faster is by how much the durations of the rules are divided, so that a rehearsal takes minutes:
// an hour is two minutes, and a minute two seconds. Nothing else of the rules changes.
const faster = 30

type rule struct {
	Alert       string            `yaml:"alert"`
	Expr        string            `yaml:"expr"`
	For         string            `yaml:"for,omitempty"`
	Labels      map[string]string `yaml:"labels"`
	Annotations map[string]string `yaml:"annotations"`
}

type ruleGroup struct {
	Name  string `yaml:"name"`
	Rules []rule `yaml:"rules"`
}

type rules struct {
	Groups []ruleGroup `yaml:"groups"`
}

var durationRE = regexp.MustCompile(`(\[|\boffset )(\d+[smhd])`)

func shorter(t *testing.T, text string) string {
	t.Helper()
	d, err := model.ParseDuration(text)
	require.NoError(t, err)
	require.Zero(t, time.Duration(d)%(faster*time.Millisecond))
	return (d / faster).String()
}

// fasterRules returns the alert rules with shorter durations, and the names of the alerts on
// elections.
func fasterRules(t *testing.T) (text []byte, alerts []string) {
	t.Helper()
	text, err := os.ReadFile("../prometheus/alerts.yml")
	require.NoError(t, err)
	var all rules
	require.NoError(t, yaml.Unmarshal(text, &all))
	for _, g := range all.Groups {
		for i := range g.Rules {
			r := &g.Rules[i]
			if g.Name == "fdbelection" {
				alerts = append(alerts, r.Alert)
			}
			if r.For != "" {
				r.For = shorter(t, r.For)
			}
			r.Expr = durationRE.ReplaceAllStringFunc(r.Expr, func(found string) string {
				parts := durationRE.FindStringSubmatch(found)
				return parts[1] + shorter(t, parts[2])
			})
		}
	}
	text, err = yaml.Marshal(all)
	require.NoError(t, err)
	return text, alerts
}
