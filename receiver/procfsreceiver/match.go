package procfsreceiver

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/otel-culprit/culprit/internal/workload"
)

// Match selects processes by what they are. A process is selected if any of its
// patterns fits. A pattern is a glob such as "php-fpm*", in which * stands for
// anything, or a regular expression between slashes such as "/^php-fpm[78]/".
type Match struct {
	// Names are the kernel's names of processes, at most 15 bytes.
	Names []string `mapstructure:"names"`
	// Users are names, or numbers, of the users as whom processes run.
	Users []string `mapstructure:"users"`
	// Units are names of systemd units or containers.
	Units []string `mapstructure:"units"`
	// Cgroups are paths of control groups.
	Cgroups []string `mapstructure:"cgroups"`
}

func (m Match) validate(key string) error {
	var errs []error
	for _, list := range []struct {
		key      string
		patterns []string
	}{{"names", m.Names}, {"users", m.Users}, {"units", m.Units}, {"cgroups", m.Cgroups}} {
		for i, p := range list.patterns {
			if _, err := compile(p); err != nil {
				errs = append(errs, fmt.Errorf("%s::%s[%d]: %w", key, list.key, i, err))
			} else if list.key != "cgroups" && strings.HasPrefix(p, "/") && !strings.HasSuffix(p, "/") {
				errs = append(errs, fmt.Errorf("%s::%s[%d]: %q begins like a regular expression; write /%s/", key, list.key, i, p, strings.Trim(p, "/")))
			}
		}
	}
	for i, p := range m.Names {
		if !strings.ContainsAny(p, "*?[/") && len(p) > maxName {
			errs = append(errs, fmt.Errorf("%s::names[%d]: %q is longer than the %d bytes that the kernel keeps of a name; write %q", key, i, p, maxName, p[:maxName]))
		}
	}
	return errors.Join(errs...)
}

// maxName is the kernel's TASK_COMM_LEN without the closing zero.
const maxName = 15

// fits reports whether a text is meant.
type fits func(text string) bool

// compile makes a pattern into a test.
func compile(pattern string) (fits, error) {
	if pattern == "" {
		return nil, errors.New("an empty pattern fits nothing; remove it")
	}
	if expression, ok := strings.CutPrefix(pattern, "/"); ok && len(expression) > 0 && strings.HasSuffix(expression, "/") {
		re, err := regexp.Compile(strings.TrimSuffix(expression, "/"))
		if err != nil {
			return nil, fmt.Errorf("%q is not a regular expression (RE2): %w", pattern, err)
		}
		return re.MatchString, nil
	}
	if _, err := path.Match(pattern, ""); err != nil {
		return nil, fmt.Errorf("%q is not a glob: %w", pattern, err)
	}
	// A glob's star stops at slashes, which in a cgroup's path nobody expects.
	const slash = "\x00"
	plain := strings.ReplaceAll(pattern, "/", slash)
	return func(text string) bool {
		ok, _ := path.Match(plain, strings.ReplaceAll(text, "/", slash)) // it was tried above
		return ok
	}, nil
}

// anyOf fits what any of the patterns fits; nil if there are none. They were
// validated.
func anyOf(patterns []string) fits {
	var all []fits
	for _, p := range patterns {
		if f, err := compile(p); err == nil {
			all = append(all, f)
		}
	}
	if len(all) == 0 {
		return nil
	}
	return func(text string) bool {
		for _, f := range all {
			if f(text) {
				return true
			}
		}
		return false
	}
}

// knows checks that each user that is named, and not by a pattern, exists: a
// selection that selects nobody by mistake would show only by what is missing.
func (r hostRoot) knows(key string, m Match) error {
	var errs []error
	for i, user := range m.Users {
		if !strings.ContainsAny(user, "*?[/") && len(r.users([]string{user})) == 0 {
			errs = append(errs, fmt.Errorf("%s::users[%d]: there is no user %q in %s; write the number if it is known elsewhere", key, i, user, r.path("etc", "passwd")))
		}
	}
	return errors.Join(errs...)
}

// nobodyAtAll is no user's number: patterns that fit no user select nobody, which
// is not the same as no patterns.
const nobodyAtAll = -2

// users turns patterns of users into numbers. A number stands for itself.
func (r hostRoot) users(patterns []string) map[int64]bool {
	ids := map[int64]bool{}
	for _, p := range patterns {
		if id, err := strconv.ParseInt(p, 10, 64); err == nil {
			ids[id] = true
		}
	}
	named := anyOf(patterns)
	b, err := r.read(r.path("etc", "passwd"))
	if err != nil || named == nil {
		return ids
	}
	for line := range strings.Lines(string(b)) {
		fields := strings.Split(line, ":")
		if len(fields) < 3 || !named(fields[0]) {
			continue
		}
		if id, err := strconv.ParseInt(fields[2], 10, 64); err == nil {
			ids[id] = true
		}
	}
	return ids
}

// patterns are what a Match means to the book of workloads.
func (r hostRoot) patterns(m Match) workload.Patterns {
	var p workload.Patterns
	for _, list := range []struct {
		patterns []string
		into     *[]func(string) bool
	}{{m.Names, &p.Names}, {m.Units, &p.Units}, {m.Cgroups, &p.Cgroups}} {
		if f := anyOf(list.patterns); f != nil {
			*list.into = []func(string) bool{f}
		}
	}
	if len(m.Users) > 0 {
		p.Users = append(slices.Sorted(maps.Keys(r.users(m.Users))), nobodyAtAll)
	}
	return p
}
