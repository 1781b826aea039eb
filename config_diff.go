package fdbelection

import (
	"fmt"
	"reflect"
)

// Differences returns one text for each setting of c that differs from other, in
// the order of the fields, such as "PreemptionGrace is 0s instead of 10s". Like
// SameSettings, it ignores the revision and the nonce.
func (c Config) Differences(other Config) []string {
	var texts []string
	mine, others := reflect.ValueOf(c), reflect.ValueOf(other)
	for i := range mine.NumField() {
		name := mine.Type().Field(i).Name
		a, b := mine.Field(i).Interface(), others.Field(i).Interface()
		if name != "Revision" && name != "Nonce" && a != b {
			texts = append(texts, fmt.Sprintf("%s is %v instead of %v", name, a, b))
		}
	}
	return texts
}
