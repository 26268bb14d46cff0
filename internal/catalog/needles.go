package catalog

import (
	"fmt"
	"regexp/syntax"
	"slices"
	"strings"
)

// minNeedle is the length from which a text is rare enough to search for it.
const minNeedle = 3

// screen tells in one pass over a text which of many patterns may match it: those
// of which it has a needle, a text that is in all that the pattern matches.
//
//	text   ...kernel: I/O error, dev sda...
//	             starts? no no no YES -> compare the needles that start so
type screen struct {
	starts  [1 << 10]uint64 // a bit for the hash of each needle's first bytes
	needles map[[minNeedle]byte][]needle
}

type needle struct {
	text string
	id   int
}

// add takes a pattern in under a number.
func (s *screen) add(p Pattern, id int) error {
	texts := needlesOf(p.String())
	if texts == nil {
		return fmt.Errorf("pattern: every alternative must contain a fixed text of at least %d bytes, in fixed case", minNeedle)
	}
	if s.needles == nil {
		s.needles = map[[minNeedle]byte][]needle{}
	}
	for _, text := range texts {
		start := [minNeedle]byte{text[0], text[1], text[2]}
		s.needles[start] = append(s.needles[start], needle{text, id})
		h := hash(text[0], text[1], text[2])
		s.starts[h/64] |= 1 << (h % 64)
	}
	return nil
}

func hash(a, b, c byte) uint32 {
	return (uint32(a)<<16 | uint32(b)<<8 | uint32(c)) * 2654435761 >> 16 // Knuth's multiplicative hash
}

// look lists the patterns that may match a text, ascending; nil for most.
func (s *screen) look(text string) (ids []int) {
	for i := 0; i+minNeedle <= len(text); i++ {
		h := hash(text[i], text[i+1], text[i+2])
		if s.starts[h/64]&(1<<(h%64)) == 0 {
			continue
		}
		for _, n := range s.needles[[minNeedle]byte{text[i], text[i+1], text[i+2]}] {
			if strings.HasPrefix(text[i:], n.text) && !slices.Contains(ids, n.id) {
				ids = append(ids, n.id)
			}
		}
	}
	slices.Sort(ids)
	return ids
}

// needlesOf lists texts one of which is in all that a regular expression
// matches; nil if it has none that are long enough.
func needlesOf(expression string) []string {
	re, err := syntax.Parse(expression, syntax.Perl)
	if err != nil {
		return nil
	}
	needles := required(re.Simplify())
	if shortest(needles) < minNeedle {
		return nil
	}
	return needles
}

// required lists texts one of which is in all that an expression matches, the
// rarest that it can find; nil if there are none.
func required(re *syntax.Regexp) []string {
	switch re.Op {
	case syntax.OpLiteral:
		if re.Flags&syntax.FoldCase == 0 {
			return []string{string(re.Rune)}
		}
	case syntax.OpCapture, syntax.OpPlus:
		return required(re.Sub[0])
	case syntax.OpConcat:
		var best []string
		for _, sub := range re.Sub {
			list := required(sub)
			if by := shortest(list) - shortest(best); by > 0 || by == 0 && len(list) < len(best) {
				best = list
			}
		}
		return best
	case syntax.OpAlternate:
		var all []string
		for _, sub := range re.Sub {
			list := required(sub)
			if list == nil {
				return nil
			}
			all = append(all, list...)
		}
		return all
	default:
		return nil
	}
	return nil
}

// shortest is the length of the shortest text; zero if there is none.
func shortest(list []string) int {
	if len(list) == 0 {
		return 0
	}
	least := len(list[0])
	for _, s := range list[1:] {
		least = min(least, len(s))
	}
	return least
}
