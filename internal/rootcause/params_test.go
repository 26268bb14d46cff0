package rootcause_test

import (
	"github.com/otel-culprit/culprit/internal/params"
	"github.com/otel-culprit/culprit/internal/rootcause"
)

func init() { rootcause.DefaultParams = params.Default } //nolint:gochecknoinits // see there
