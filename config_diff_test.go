package fdbelection_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
)

func TestDifferences(t *testing.T) {
	config := fdbelection.DefaultConfig()
	require.Empty(t, config.Differences(config))

	other := config
	other.Revision, other.Nonce = 7, [16]byte{1}
	require.True(t, config.SameSettings(other))
	require.Empty(t, config.Differences(other), "Revision and Nonce are not settings")

	config.Expiry, other.Expiry = fdbelection.ExpiryByClock, fdbelection.ExpiryByObservation
	config.PreemptionGrace, other.PreemptionGrace = 0, 10*time.Second
	config.AllowPreemption, other.AllowPreemption = true, false
	config.HistoryLimit, other.HistoryLimit = 5, 128
	require.Equal(t, []string{
		"AllowPreemption is true instead of false",
		"PreemptionGrace is 0s instead of 10s",
		"HistoryLimit is 5 instead of 128",
		"Expiry is clock instead of observation",
	}, config.Differences(other))
}

// TestDifferencesNameEverySetting: Differences names each setting that SameSettings
// compares.
func TestDifferencesNameEverySetting(t *testing.T) {
	for _, field := range reflect.VisibleFields(reflect.TypeFor[fdbelection.Config]()) {
		var c fdbelection.Config
		switch v := reflect.ValueOf(&c).Elem().FieldByIndex(field.Index); v.Kind() {
		case reflect.Bool:
			v.SetBool(true)
		case reflect.Int, reflect.Int64:
			v.SetInt(1)
		case reflect.Uint64:
			v.SetUint(1)
		case reflect.Array:
			v.Index(0).SetUint(1)
		default:
			t.Fatalf("a setting has kind %s", v.Kind())
		}
		texts := c.Differences(fdbelection.Config{})
		if c.SameSettings(fdbelection.Config{}) {
			require.Empty(t, texts, field.Name)
			continue
		}
		require.Len(t, texts, 1, field.Name)
		require.Contains(t, texts[0], field.Name+" is ")
	}
}
