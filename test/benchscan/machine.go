package main

import (
	"os"
	"runtime"
	"strings"
	"time"
)

// thisMachine looks at the host.
func thisMachine(now time.Time) machine {
	return machine{
		cpu:    cpuModel(readText("/proc/cpuinfo")),
		cores:  runtime.NumCPU(),
		kernel: strings.TrimSpace(readText("/proc/sys/kernel/osrelease")),
		golang: runtime.Version(),
		date:   now.UTC().Format("2 January 2006"),
	}
}

// readText is empty if the file cannot be read.
func readText(file string) string {
	text, err := os.ReadFile(file) //nolint:gosec // files of the kernel
	if err != nil {
		return ""
	}
	return string(text)
}

// cpuModel is the name in /proc/cpuinfo.
func cpuModel(text string) string {
	for line := range strings.Lines(text) {
		key, value, ok := strings.Cut(line, ":")
		if ok && strings.TrimSpace(key) == "model name" {
			return strings.Join(strings.Fields(value), " ")
		}
	}
	return "unknown CPU"
}
