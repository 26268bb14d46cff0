package lab_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/lab"
)

func TestX(t *testing.T) {
	list, err := lab.Scenarios()
	require.NoError(t, err)
	for _, s := range list {
		for seed := range uint64(50) {
			_, err := s.Draw(seed)
			require.NoError(t, err)
		}
	}
	t.Log(len(list))
}
