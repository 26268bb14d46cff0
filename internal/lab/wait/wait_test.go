package wait

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCause(t *testing.T) {
	var (
		ended = errors.New("the site ended early")
		other = errors.New("the findings cannot be read")
	)
	for name, test := range map[string]struct {
		cause, err error
		want       string
	}{
		"nothing ended":             {nil, other, "the findings cannot be read"},
		"it ended":                  {ended, context.Canceled, "the site ended early"},
		"it ended, and was wrapped": {ended, fmt.Errorf("ask the site: %w", context.Canceled), "the site ended early"},
		"its time was over":         {ended, context.DeadlineExceeded, "the site ended early"},
		"something else":            {ended, other, "the site ended early\nthe findings cannot be read"},
		"the cause itself":          {ended, fmt.Errorf("start it: %w", ended), "start it: the site ended early"},
		"the same, told twice":      {ended, errors.New("the site ended early"), "the site ended early"},
		"no cause is known":         {context.Canceled, other, "context canceled\nthe findings cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			if test.cause != nil {
				cancel(test.cause)
			}
			require.EqualError(t, Cause(ctx, test.err), test.want)
		})
	}
}
