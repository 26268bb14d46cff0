package experiment

import "time"

// IDs of the blocks that have no remedy.
const (
	Baseline = "baseline" // no backup
	Without  = "plain"    // the backup as it is
)

// Order is the order of the blocks of each repeat: the arms are shuffled by
// intn, which gives a random number from 0 to below n. In the first repeat the
// baseline and the plain backup stand in front: what is derived from them must
// be known before the rest, and it is known soonest whether to go on.
func Order(remedies []string, repeats int, intn func(n int) int) [][]string {
	order := make([][]string, repeats)
	for i := range order {
		arms := append([]string{Baseline, Without}, remedies...)
		free := arms
		if i == 0 {
			free = arms[2:]
		}
		shuffle(free, intn)
		order[i] = arms
	}
	return order
}

// Rounds is the order of the blocks of rounds that confirm a remedy, beside the
// baseline and the plain backup.
func Rounds(remedy string, rounds int, intn func(n int) int) [][]string {
	order := make([][]string, rounds)
	for i := range order {
		order[i] = []string{Baseline, Without, remedy}
		shuffle(order[i], intn)
	}
	return order
}

func shuffle(arms []string, intn func(n int) int) {
	for i := len(arms) - 1; i > 0; i-- {
		j := intn(i + 1)
		arms[i], arms[j] = arms[j], arms[i]
	}
}

// Times says how long the parts of an experiment last.
type Times struct {
	Block   time.Duration // at most; a backup may end before
	Settle  time.Duration // for how long the site must be calm before a block
	Calm    time.Duration // at most, until it is
	Stop    time.Duration // at most, until the backup has ended
	Command time.Duration // at most, for what prepares a block or cleans up after it; zero if there is neither
}

// Expected is how long so many blocks last if the site is calm at once, and at
// most.
func (t Times) Expected(blocks int) (usual, most time.Duration) {
	n := time.Duration(blocks)
	return n * (t.Settle + t.Block), n * (t.Calm + t.Block + t.Stop + 2*t.Command)
}

// ExpectedRounds is the same for so many confirming rounds.
func (t Times) ExpectedRounds(rounds int) (usual, most time.Duration) {
	return t.Expected(3 * rounds) // the baseline, the plain backup and the remedy
}
