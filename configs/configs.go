// Package configs holds the configurations that programs of this repository
// start themselves.
package configs

import _ "embed" // for the file below

// Demo is the collector's configuration in the demo.
//
//go:embed demo.yaml
var Demo []byte
