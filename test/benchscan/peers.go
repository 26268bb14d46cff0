package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// everyProcess is a configuration of process-exporter: all processes, by name.
const everyProcess = `process_names:
  - name: "{{.Comm}}"
    cmdline: ['.*']
`

// leanFlags switch off what is dear in process-exporter, where it knows them.
var leanFlags = []string{"-threads=false", "-gather-smaps=false"}

func (b *bench) processExporter(ctx context.Context) subject {
	s := subject{name: "process-exporter", metrics: "groups by name, lean → prometheus"}
	program, err := find("prometheus-process-exporter")
	if err != nil {
		program, err = find("process-exporter")
	}
	if err != nil {
		s.skipped = err.Error()
		return s
	}
	said, _ := output(ctx, program, "-version")
	s.version = versionIn(afterWord(said, "revision:"))
	if s.version == "" {
		s.version = versionIn(said)
	}
	help, _ := output(ctx, program, "-help")
	s.plan = func() (plan, error) {
		p, err := freePorts()
		if err != nil {
			return plan{}, err
		}
		file := filepath.Join(b.dir, "process-exporter.yaml")
		if err := os.WriteFile(file, []byte(everyProcess), 0o600); err != nil {
			return plan{}, err
		}
		argv := []string{program, "-config.path", file, fmt.Sprintf("-web.listen-address=127.0.0.1:%d", p.prometheus)}
		return plan{argv: append(argv, supported(leanFlags, help)...), scrape: page(p.prometheus), onScrape: true}, nil
	}
	return s
}

// supported are the flags that a program names in its help.
func supported(flags []string, help string) []string {
	var out []string
	for _, f := range flags {
		name, _, _ := strings.Cut(f, "=")
		if strings.Contains(help, name) {
			out = append(out, f)
		}
	}
	return out
}

// afterWord is the text from a word on, empty if it is not there.
func afterWord(text, word string) string {
	_, after, _ := strings.Cut(text, word)
	return after
}

// netdataPlaces are where packages put Netdata's plugins.
var netdataPlaces = []string{
	"/usr/libexec/netdata/plugins.d/apps.plugin",
	"/usr/lib/netdata/plugins.d/apps.plugin",
	"/opt/netdata/usr/libexec/netdata/plugins.d/apps.plugin",
}

func (b *bench) appsPlugin(ctx context.Context) subject {
	s := subject{name: "netdata-apps.plugin", metrics: "groups, users, files → pipe"}
	program, err := find("apps.plugin", netdataPlaces...)
	if err != nil {
		s.skipped = "Netdata's " + err.Error()
		return s
	}
	said, _ := output(ctx, program, "version")
	s.version = versionIn(said)
	s.plan = func() (plan, error) {
		return plan{argv: []string{program, b.wholeSeconds()}, marker: "BEGIN apps.cpu "}, nil
	}
	return s
}

func (b *bench) pidstat(ctx context.Context) subject {
	s := subject{name: "pidstat", metrics: "processes that did something → pipe"}
	program, err := find("pidstat")
	if err != nil {
		s.skipped = err.Error()
		return s
	}
	said, _ := output(ctx, program, "-V")
	s.version = versionIn(said)
	s.plan = func() (plan, error) {
		return plan{argv: []string{program, "-d", "-u", b.wholeSeconds()}, marker: "%usr"}, nil
	}
	return s
}
