package delivery

import (
	"strings"
	"unicode/utf8"
)

const ellipsis = "…"

// Cut shortens a text to at most limit bytes of valid UTF-8, ending in an
// ellipsis if something is left out.
func Cut(s string, limit int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= limit {
		return s
	}
	mark := ellipsis
	if limit < len(mark) {
		mark = ""
	}
	end := max(limit-len(mark), 0)
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + mark
}
