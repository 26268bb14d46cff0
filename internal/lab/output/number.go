package output

import (
	"encoding/json"
	"math"
)

// Number is a number that JSON shows as null if it is not known.
type Number float64

// Unknown is a number that is not known.
func Unknown() Number { return Number(math.NaN()) }

// MarshalJSON writes null for what is not finite, and three decimals.
func (n Number) MarshalJSON() ([]byte, error) {
	x := float64(n)
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return []byte("null"), nil
	}
	return json.Marshal(math.Round(x*1000) / 1000)
}
