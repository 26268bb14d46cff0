package procscan

import (
	"bytes"
	"path"
	"slices"
	"strings"
)

// Limits of a command line.
const (
	maxArgs     = 64
	maxArgBytes = 4 << 10
)

// scrubbed stands where a secret stood.
const scrubbed = "***"

// splitArgs splits /proc/PID/cmdline at its zero bytes. Of a command line above
// the limits the end is left out, and the argument that the cut went through
// with it: half an argument may be half a secret that no rule recognises.
func splitArgs(b []byte) []string {
	cut := len(b) > maxArgBytes
	if cut {
		b = b[:maxArgBytes]
	}
	args := make([]string, 0, min(maxArgs, bytes.Count(b, []byte{0})+1))
	for len(b) > 0 && len(args) < maxArgs {
		i := bytes.IndexByte(b, 0)
		if i < 0 {
			if !cut { // a process that wrote its own title
				args = append(args, validUTF8(b))
			}
			break
		}
		args = append(args, validUTF8(b[:i]))
		b = b[i+1:]
	}
	// Titles are often padded with zero bytes.
	for len(args) > 0 && args[len(args)-1] == "" {
		args = args[:len(args)-1]
	}
	return args
}

// Scrub returns a copy of a command line in which what looks like a secret is
// replaced by "***":
//
//   - values of options and variables with a telling name: --password=x,
//     --token x, AWS_SECRET_ACCESS_KEY=x, ?sig=x, "password: x"
//   - passwords in URLs: https://user:x@host
//   - what an HTTP header authorises with: "Authorization: Bearer x"
//   - short options of programs known to take a secret in them: mysqldump -px,
//     curl -u user:x
//
// It looks into arguments that are scripts (sh -c "mysqldump -px | gzip"). It
// errs towards scrubbing too much, and it is no guarantee: a secret without a
// name, such as a bare argument, is not recognised. Names of files that hold
// secrets (--password-file=x) stay.
func Scrub(args []string) []string {
	var s scrubber
	out := make([]string, len(args))
	before := ""
	for i, arg := range args {
		script := before == "-c"
		before = arg
		if name, _, ok := strings.Cut(arg, "="); ok && s.next == nothing && !script && isName(name) && secretName(name) {
			// The value goes to the end of the argument, blanks or not.
			out[i] = name + "=" + scrubbed
			continue
		}
		out[i] = s.argument(arg)
	}
	return out
}

// shortOptions are the programs that take a secret in an option of one letter.
// A value that must follow at once (-px) is one that mysql would ask for
// otherwise, so that a bare -p hides nothing.
var shortOptions = []struct {
	programs string // beginnings of names, separated by spaces
	option   string
	attached bool // the value can only be attached
	user     bool // the value is user:secret, and the user stays
}{
	{programs: "mysql mariadb mariabackup xtrabackup innobackupex mydumper myloader", option: "-p", attached: true},
	{programs: "7z 7za 7zr rar unrar", option: "-p", attached: true},
	{programs: "mongo sshpass", option: "-p"},
	{programs: "redis-cli valkey-cli", option: "-a"},
	{programs: "ldap", option: "-w"},
	{programs: "zip unzip", option: "-P"},
	{programs: "sqlcmd bcp", option: "-P"},
	{programs: "curl lftp", option: "-u", user: true},
	{programs: "curl", option: "-U", user: true},
	{programs: "smbclient smbget rpcclient", option: "-U", user: true},
}

// scrubber reads the words of a command line from left to right.
type scrubber struct {
	program string // base name of the last word that shortOptions know
	next    hide   // what to do with the next word
}

// hide is how much of a word is secret.
type hide uint8

const (
	nothing  hide = iota
	all           // all of it
	password      // what follows the user's name
)

// argument scrubs one argument, which may be a script of several words.
func (s *scrubber) argument(arg string) string {
	if s.next != nothing || !strings.ContainsAny(arg, " \t\n\r") {
		out, _ := s.word(arg)
		return out
	}
	var b strings.Builder
	for arg != "" {
		n := len(arg) - len(strings.TrimLeft(arg, " \t\n\r"))
		b.WriteString(arg[:n])
		arg = arg[n:]
		n = wordEnd(arg)
		word, secretRest := s.word(arg[:n])
		b.WriteString(word)
		arg = arg[n:]
		if secretRest && strings.TrimSpace(arg) != "" {
			b.WriteString(" " + scrubbed)
			break
		}
	}
	s.next = nothing
	return b.String()
}

// wordEnd is the length of the first word; blanks within quotes belong to it.
func wordEnd(s string) int {
	quote := byte(0)
	for i := range len(s) {
		switch c := s[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			return i
		}
	}
	if quote != 0 { // an apostrophe, not a quotation
		if i := strings.IndexAny(s, " \t\n\r"); i >= 0 {
			return i
		}
	}
	return len(s)
}

// word scrubs one word. secretRest tells that the rest of the argument is secret
// too, as in "Authorization: Bearer x".
func (s *scrubber) word(w string) (out string, secretRest bool) {
	mode := s.next
	s.next = nothing
	switch {
	case mode == all:
		return scrubbed, false
	case mode == password:
		return hidePassword(w), false
	case w == "":
		return w, false
	}
	if quoted := unquote(w); quoted != w && strings.ContainsAny(quoted, " \t\n\r") {
		// A script within a script, or a header within one.
		inner := scrubber{program: s.program}
		return w[:1] + inner.argument(quoted) + w[:1], false
	}
	if knownProgram(path.Base(w)) && w[0] != '-' {
		s.program = path.Base(w)
	}
	if out, ok := s.shortOption(w); ok {
		return out, false
	}
	w = scrubURL(w)
	if strings.EqualFold(w, "bearer") {
		s.next = all
		return w, false
	}
	if w[0] == '-' && !strings.ContainsAny(w, "=:") && secretName(w) && !s.asks(w) {
		s.next = all
		return w, false
	}
	if w[0] == '-' && (w == "--user" || w == "--proxy-user") && s.program == "curl" {
		s.next = password
		return w, false
	}
	return scrubPairs(w)
}

// asks tells that the option takes a value only behind "=" and otherwise makes
// the program ask, so that the next word is something else.
func (s *scrubber) asks(option string) bool {
	return option == "--password" && (strings.HasPrefix(s.program, "mysql") || strings.HasPrefix(s.program, "maria"))
}

// shortOption scrubs -px, or -p when x is the next word.
func (s *scrubber) shortOption(w string) (string, bool) {
	for _, o := range shortOptions {
		value, ok := strings.CutPrefix(w, o.option)
		if !ok || !beginsWithAny(s.program, o.programs) {
			continue
		}
		switch {
		case value == "" && o.attached:
			return w, true
		case value == "" && o.user:
			s.next = password
			return w, true
		case value == "":
			s.next = all
			return w, true
		case o.user:
			return o.option + hidePassword(value), true
		default:
			return o.option + scrubbed, true
		}
	}
	return "", false
}

func knownProgram(name string) bool {
	for _, o := range shortOptions {
		if beginsWithAny(name, o.programs) {
			return true
		}
	}
	return false
}

func beginsWithAny(name, beginnings string) bool {
	if name == "" {
		return false
	}
	for b := range strings.FieldsSeq(beginnings) {
		if strings.HasPrefix(name, b) {
			return true
		}
	}
	return false
}

// hidePassword hides what follows the user's name in user:secret, user%secret
// and user,secret.
func hidePassword(w string) string {
	if i := strings.IndexAny(w, ":%,"); i >= 0 {
		return w[:i+1] + scrubbed
	}
	return w
}

// scrubURL hides the password in scheme://user:secret@host, and for the web,
// where a token often stands alone, all that stands before the "@".
func scrubURL(w string) string {
	i := strings.Index(w, "://")
	if i < 0 {
		return w
	}
	scheme, rest := w[:i+3], w[i+3:]
	authority := rest
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		authority = rest[:end]
		// A password may hold a slash, a port may not.
		if _, port, ok := strings.Cut(authority, ":"); ok && strings.Trim(port, "0123456789") != "" {
			authority = rest
		}
	}
	at := strings.LastIndexByte(authority, '@')
	if at < 0 {
		return w
	}
	user, _, hasPassword := strings.Cut(authority[:at], ":")
	switch {
	case hasPassword:
		return scheme + user + ":" + scrubbed + rest[at:]
	case strings.HasSuffix(scheme, "http://") || strings.HasSuffix(scheme, "https://"):
		return scheme + scrubbed + rest[at:]
	default:
		return w
	}
}

// scrubPairs hides the value of the first name=value or name:value with a
// telling name, wherever in the word it is, and what follows it.
func scrubPairs(w string) (out string, secretRest bool) {
	start := 0 // of the name
	for i := 0; i < len(w); i++ {
		c := w[i]
		if isNameByte(c) {
			continue
		}
		name := w[start:i]
		start = i + 1
		if c == '"' || c == '\'' {
			// JSON's "name": the colon is behind the quote.
			if i+1 >= len(w) || w[i+1] != ':' {
				continue
			}
			i++
			start, c = i+1, ':'
		}
		if (c != '=' && c != ':') || !secretName(name) {
			continue
		}
		value := w[i+1:]
		switch {
		case strings.HasPrefix(value, "//"): // key://...
			continue
		case value == "":
			return w, c == ':'
		case c == ':':
			return w[:i+1] + scrubbed, true
		case strings.ContainsRune(w[:i], '?'): // the parameter of a URL
			tail := ""
			if end := strings.IndexAny(value, "&#"); end >= 0 {
				tail, _ = scrubPairs(value[end+1:])
				tail = value[end:end+1] + tail
			}
			return w[:i+1] + scrubbed + tail, false
		default:
			return w[:i+1] + scrubbed, false
		}
	}
	return w, false
}

func isName(s string) bool {
	for i := range len(s) {
		if !isNameByte(s[i]) {
			return false
		}
	}
	return s != ""
}

func isNameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-' || c == '.'
}

// secretName reports whether a value of that name is likely a secret.
func secretName(name string) bool {
	name = strings.ToLower(strings.TrimLeft(name, "-"))
	for _, harmless := range []string{"file", "path", "dir"} {
		if strings.HasSuffix(name, harmless) {
			return false
		}
	}
	if strings.HasPrefix(name, "no-") { // --no-password
		return false
	}
	for _, part := range []string{
		"passw", "passphrase", "passin", "passout", "secret", "token", "apikey", "accesskey",
		"privatekey", "credential", "authorization", "cookie", "signature",
	} {
		if strings.Contains(name, part) {
			return true
		}
	}
	isSeparator := func(r rune) bool { return r == '-' || r == '_' || r == '.' }
	for word := range strings.FieldsFuncSeq(name, isSeparator) {
		if slices.Contains([]string{"pass", "pwd", "pw", "key", "auth", "sig"}, word) {
			return true
		}
	}
	return false
}

// unquote takes off a pair of quotes around the whole word.
func unquote(w string) string {
	if n := len(w); n >= 2 && (w[0] == '"' || w[0] == '\'') && w[n-1] == w[0] {
		return w[1 : n-1]
	}
	return w
}
