package procscan

import (
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// Lines as kernels wrote them.
const (
	statLine = "42 (a) b) S 1 41 40 34816 -1 4194304 104 5 7 8 250 50 60 70 20 -5 3 0 105863 3133440 383 " +
		"18446744073709551615 1 2 3 0 0 0 0 0 0 0 0 0 17 0 0 0 9 0 0 1 2 3 4 5 6 7 0\n"
	statLine26   = "1 (init) S 0 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 9 10 11 18446744073709551615\n"
	ioLines      = "rchar: 8688\nwchar: 1712\nsyscr: 14\nsyscw: 2\nread_bytes: 4096\nwrite_bytes: 8192\ncancelled_write_bytes: 12\n"
	statusLines  = "Name:\tCpus_allowed_list:\\n0\nPid:\t13970\nCpus_allowed:\t3\nCpus_allowed_list:\t0-1,4\nMems_allowed_list:\t0\nvoluntary_ctxt_switches:\t150\nnonvoluntary_ctxt_switches:\t545\n"
	cgroupHybrid = "12:cpu,cpuacct:/system.slice/cron.service\n4:cpuset:/other\n1:name=systemd:/system.slice/cron.service\n0::/\n"
)

func TestParseStat(t *testing.T) {
	s, err := parseStat([]byte(statLine))
	require.NoError(t, err)
	require.Equal(t, "a) b", string(s.comm))
	s.comm = nil
	require.Equal(t, stat{
		state: 'S', parent: 1, group: 41, session: 40, terminal: 34816, flags: 4194304, minorFaults: 104, majorFaults: 7,
		userTicks: 250, systemTicks: 50, childUser: 60, childSystem: 70, nice: -5, threads: 3, startTicks: 105863,
		virtual: 3133440, residentPages: 383, blockTicks: 9,
	}, s)

	s, err = parseStat([]byte(statLine26))
	require.NoError(t, err)
	require.Equal(t, int64(-1), s.blockTicks, "old kernels do not have it")
}

func TestParseStatErrors(t *testing.T) {
	for name, c := range map[string]struct {
		in   string
		want error
	}{
		"empty":           {"", errTruncated},
		"no newline":      {strings.TrimSuffix(statLine, "\n"), errTruncated},
		"too few fields":  {"1 (a) S 1 2 3\n", errTruncated},
		"no name":         {"1 a S 1 2 3\n", errMalformed},
		"brackets":        {"1 )a( S 1 2 3\n", errMalformed},
		"only name":       {"1 (a)\n", errMalformed},
		"not a number":    {strings.Replace(statLine, " 105863 ", " 1058x63 ", 1), errMalformed},
		"two spaces":      {strings.Replace(statLine, " 105863 ", "  105863 ", 1), errMalformed},
		"only a newline":  {"\n", errMalformed},
		"just the braces": {"()\n", errMalformed},
	} {
		_, err := parseStat([]byte(c.in))
		require.ErrorIs(t, err, c.want, name)
	}
}

func TestParseIO(t *testing.T) {
	read, written, err := parseIO([]byte(ioLines))
	require.NoError(t, err)
	require.Equal(t, int64(4096), read)
	require.Equal(t, int64(8192), written)

	_, _, err = parseIO([]byte("read_bytes: 1\n"))
	require.ErrorIs(t, err, errTruncated)
	_, _, err = parseIO([]byte("read_bytes: 1\nwrite_bytes: 2"))
	require.ErrorIs(t, err, errTruncated)
	_, _, err = parseIO([]byte("read_bytes: x\nwrite_bytes: 2\n"))
	require.ErrorIs(t, err, errMalformed)
}

func TestParseSchedstat(t *testing.T) {
	s, err := parseSchedstat([]byte("41074316 11799206 166\n"))
	require.NoError(t, err)
	require.Equal(t, schedstat{running: 41074316, waiting: 11799206}, s)
	for in, want := range map[string]error{"": errTruncated, "1 2 3": errTruncated, "1\n": errMalformed, "a 2 3\n": errMalformed, "1 -2 3\n": errMalformed} {
		_, err := parseSchedstat([]byte(in))
		require.ErrorIs(t, err, want, in)
	}
}

func TestParseStatus(t *testing.T) {
	s, err := parseStatus([]byte(statusLines))
	require.NoError(t, err)
	require.Equal(t, "0-1,4", string(s.cpus))
	require.Equal(t, int64(150), s.voluntary)
	require.Equal(t, int64(545), s.involuntary)

	_, err = parseStatus([]byte("Cpus_allowed_list:\t0\n"))
	require.ErrorIs(t, err, errTruncated)
	_, err = parseStatus([]byte("voluntary_ctxt_switches:\tx\n"))
	require.ErrorIs(t, err, errMalformed)
}

func TestParseCgroup(t *testing.T) {
	for in, want := range map[string]string{
		"0::/system.slice/x.service\n":               "/system.slice/x.service",
		cgroupHybrid:                                 "/system.slice/cron.service",
		"5:cpuset:/a\n3:cpuacct:/b\n0::/\n":          "/",
		"2:cpu:/\n1:name=systemd:/user\n0::/\n":      "/user",
		"2:cpu:/c\n1:name=systemd:/user\n":           "/c",
		"0::/with:colon\n":                           "/with:colon",
		"0::/a/../b (deleted)\n":                     "/a/../b (deleted)",
		"0::/../../system.slice/x.service\n":         "/system.slice/x.service",
		"0::/..\n1:name=systemd:/user\n":             "/user",
		"0::/..hidden\n":                             "/..hidden",
		"0::/cut":                                    "",
		"":                                           "",
		"rubbish\n\n::\n0::\n7:cpu,cpuacct:nopath\n": "",
	} {
		require.Equal(t, want, string(parseCgroup([]byte(in))), in)
	}
}

func TestParseInt(t *testing.T) {
	for in, want := range map[string]int64{
		"0": 0, "-1": -1, "007": 7, "9223372036854775807": math.MaxInt64,
		"18446744073709551615": math.MaxInt64, "-99999999999999999999": -math.MaxInt64,
	} {
		n, ok := parseInt([]byte(in))
		require.True(t, ok, in)
		require.Equal(t, want, n, in)
	}
	for _, in := range []string{"", "-", "+1", "1 ", "0x1", "--1"} {
		_, ok := parseInt([]byte(in))
		require.False(t, ok, in)
	}
}

func TestAppendNumbersSurvivesRubbish(t *testing.T) {
	require.Empty(t, appendNumbers(nil, make([]byte, 100)))
	require.Empty(t, appendNumbers(nil, []byte(strings.Repeat("\xff", 100))))
	require.Empty(t, appendNumbers(nil, []byte("short")))
}

// What is parsed is found in the line again.
func FuzzParseStat(f *testing.F) {
	f.Add([]byte(statLine))
	f.Add([]byte(statLine26))
	f.Add([]byte(fake{pid: 3, comm: "x\n) S 1"}.stat()))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := parseStat(b)
		if err != nil {
			return
		}
		require.Contains(t, string(b), "("+string(s.comm)+") ")
		require.NotContains(t, string(b[strings.LastIndexByte(string(b), ')')+1:]), ")")
		// A prefix is never taken for the whole.
		_, err = parseStat(b[:len(b)-1])
		if err == nil {
			require.Equal(t, byte('\n'), b[len(b)-2])
		}
	})
}

// Lines of other names change nothing.
func FuzzParseIO(f *testing.F) {
	f.Add([]byte(ioLines))
	f.Add([]byte("read_bytes: 1\nwrite_bytes: 2\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		read, written, err := parseIO(b)
		if err != nil {
			return
		}
		again, writtenAgain, err := parseIO(append([]byte("new_counter: 7\n"), b...))
		require.NoError(t, err)
		require.Equal(t, read, again)
		require.Equal(t, written, writtenAgain)
		require.GreaterOrEqual(t, read, int64(0))
		require.GreaterOrEqual(t, written, int64(0))
	})
}

func FuzzParseSchedstat(f *testing.F) {
	f.Add([]byte("41074316 11799206 166\n"))
	f.Add([]byte("0 0 0\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := parseSchedstat(b)
		if err != nil {
			require.Zero(t, s)
			return
		}
		require.GreaterOrEqual(t, s.running, int64(0))
		require.GreaterOrEqual(t, s.waiting, int64(0))
	})
}

func FuzzParseStatus(f *testing.F) {
	f.Add([]byte(statusLines))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := parseStatus(b)
		if err != nil {
			return
		}
		require.Contains(t, string(b), string(s.cpus))
		require.NotContains(t, string(s.cpus), "\n")
	})
}

func FuzzParseCgroup(f *testing.F) {
	f.Add([]byte(cgroupHybrid))
	f.Add([]byte("0::/system.slice/x.service\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		path := parseCgroup(b)
		if len(path) > 0 {
			require.Equal(t, byte('/'), path[0])
			require.Contains(t, string(b), ":"+string(path)+"\n")
		}
	})
}

func FuzzSplitArgs(f *testing.F) {
	f.Add([]byte("restic\x00backup\x00/srv\x00"))
	f.Add([]byte("postgres: writer process   \x00\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		args := splitArgs(b)
		require.LessOrEqual(t, len(args), maxArgs)
		for _, a := range args {
			require.True(t, utf8.ValidString(a))
			require.NotContains(t, a, "\x00")
		}
	})
}
