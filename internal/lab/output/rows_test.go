package output

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWrapped(t *testing.T) {
	words := strings.Repeat("12345678 ", 12) // 108 columns
	require.Equal(t, strings.TrimRight(words[:99], " ")+"\n    12345678\n", Wrapped(strings.TrimRight(words, " "), 4))
	word := strings.Repeat("x", 150)
	require.Equal(t, word+"\n", Wrapped(word, 4), "a word longer than a line stays whole")
	require.Equal(t, "x\n", Wrapped("x", 4))
}
