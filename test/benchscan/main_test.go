package main

import (
	"os"
	"testing"
)

// asProgram makes the test binary behave as the program.
const asProgram = "BENCHSCAN_TEST_AS_PROGRAM"

// TestMain lets the test binary be the copies that the program starts of itself.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		if _, ok := roles[os.Args[1]]; ok || os.Getenv(asProgram) != "" {
			os.Exit(run(os.Args[1:]))
		}
	}
	os.Exit(m.Run())
}
