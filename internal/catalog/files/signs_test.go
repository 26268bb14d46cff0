package files_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/catalog"
	"github.com/otel-culprit/culprit/internal/catalog/files"
	"github.com/otel-culprit/culprit/internal/fact"
)

func shipped(tb testing.TB) *catalog.Catalog {
	tb.Helper()
	c, err := files.Default()
	require.NoError(tb, err)
	return c
}

func TestDefaultSigns(t *testing.T) {
	c := shipped(t)
	tests := map[string]struct {
		source string // who writes it; also those of other sources are tried for the kernel's
		bodies []string
		named  string // a value of a named group that the first body has
	}{
		"block_io_error": {"kernel", []string{
			"blk_update_request: I/O error, dev sda, sector 2048 op 0x0:(READ) flags 0x80700 phys_seg 1 prio class 0",
			"I/O error, dev nvme0n1, sector 1953525128 op 0x1:(WRITE) flags 0x800 phys_seg 8 prio class 2",
			"critical medium error, dev sdb, sector 976773168 op 0x0:(READ) flags 0x0 phys_seg 1 prio class 2",
			"blk_update_request: critical target error, dev sdc, sector 0",
			"Buffer I/O error on dev vda1, logical block 3, async page read",
			"Buffer I/O error on device sdb1, logical block 0",
			"sd 2:0:0:0: rejecting I/O to offline device",
			"sd 0:0:0:0: [sda] tag#18 Sense Key : Medium Error [current]",
			"Nov 21 02:00:01 web1 kernel: [12345.678901] blk_update_request: I/O error, dev sda, sector 8",
		}, "sda"},
		"ata_error": {"kernel", []string{
			"ata1.00: exception Emask 0x0 SAct 0x60000000 SErr 0x0 action 0x0", "ata3: exception Emask 0x10 SAct 0x0 SErr 0x4040000 action 0xe frozen",
		}, "ata1.00"},
		"nvme_error": {"kernel", []string{
			"nvme nvme0: I/O 832 QID 4 timeout, aborting",
			"nvme nvme1: I/O tag 12 (200c) opcode 0x2 (I/O Cmd) QID 2 timeout, aborting req_op:READ(0) size:131072",
			"nvme nvme0: controller is down; will reset: CSTS=0xffffffff, PCI_STATUS=0x10",
			"nvme0n1: I/O Cmd(0x2) @ LBA 3984, 8 blocks, I/O Error (sct 0x2 / sc 0x81) MORE",
		}, "nvme0"},
		"file_system_error": {"kernel", []string{
			"EXT4-fs error (device sda1): ext4_find_entry:1455: inode #2: comm ls: reading directory lblock 0",
			"EXT4-fs (sda1): Remounting filesystem read-only", "Aborting journal on device dm-0-8.",
			`XFS (sda1): metadata I/O error in "xfs_trans_read_buf_map" at daddr 0x2 len 1 error 5`,
			"XFS (dm-0): log I/O error -5", "XFS (sdb1): Filesystem has been shut down due to log error (0x2).",
			"BTRFS error (device sda1): bdev /dev/sda1 errs: wr 0, rd 12, flush 0, corrupt 0, gen 0",
			"BTRFS warning (device sda1): csum failed root 5 ino 257 off 0 csum 0x8941f998 expected csum 0x98f94189 mirror 1",
		}, "sda1"},
		"array_degraded": {"kernel", []string{
			"md/raid1:md0: Disk failure on sdb1, disabling device.", "md/raid1:md0: Operation continuing on 1 devices.",
			"md/raid:md127: Disk failure on sdd, disabling device.",
		}, "md0"},
		"array_rebuild": {"kernel", []string{"md: recovery of RAID array md0", "md: data-check of RAID array md1"}, "md0"},
		"hung_task":     {"kernel", []string{"INFO: task mysqld:1234 blocked for more than 120 seconds.", "INFO: task kworker/u8:2:77 blocked for more than 241 seconds."}, "mysqld"},
		"oom_kill": {"kernel", []string{
			"Out of memory: Killed process 2013 (php-fpm) total-vm:1048576kB, anon-rss:812000kB, file-rss:0kB, shmem-rss:0kB, UID:33 pgtables:2100kB oom_score_adj:0",
			"Out of memory: Kill process 2013 (mysqld) score 812 or sacrifice child",
		}, "php-fpm"},
		"oom_kill_cgroup": {"kernel", []string{
			"oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=shop.service,mems_allowed=0,oom_memcg=/system.slice/shop.service,task_memcg=/system.slice/shop.service,task=php-fpm,pid=2013,uid=33",
			"Task in /system.slice/shop.service killed as a result of limit of /system.slice/shop.service",
		}, "php-fpm"},
		"oomd_kill": {"systemd-oomd", []string{"Killed /system.slice/backup.service due to memory pressure for /system.slice being 71.43% > 60.00% for > 20s with reclaim activity"}, "/system.slice/backup.service"},
		"disk_full": {"restic", []string{
			"write /srv/repo/tmp: no space left on device", "tar: a.tar: Wrote only 4096 of 10240 bytes: No space left on device",
			"Error: ENOSPC: no space left on device, write", "sqlite3.OperationalError: database or disk is full",
		}, ""},
		"service_restart": {"systemd", []string{
			"Started shop.service - The shop.", "Stopped shop.service - The shop.", "Started The shop.",
			"shop.service: Main process exited, code=exited, status=1/FAILURE", "shop.service: Scheduled restart job, restart counter is at 5.",
		}, "shop.service"},
		"bad_gateway": {"nginx", []string{
			`203.0.113.7 - - [21/Nov/2026:02:00:01 +0000] "GET /cart HTTP/1.1" 502 157 "-" "curl/7.88.1"`,
			`203.0.113.7 - bob [21/Nov/2026:02:00:01 +0000] "POST /pay HTTP/2.0" 504 -`,
			`{"time":"2026-11-21T02:00:01Z","status":503,"path":"/cart"}`, `{"status": "502"}`, `{"http.response.status_code":503}`,
			`level=info path=/cart status=502 bytes=1`,
		}, ""},
		"server_error": {"nginx", []string{
			`203.0.113.7 - - [21/Nov/2026:02:00:01 +0000] "GET /cart HTTP/1.1" 500 157`, `{"status_code":500}`, `{"status": "501"}`,
		}, ""},
		"upstream_refused": {"shop", []string{
			`2026/11/21 02:00:01 [error] 31#31: *7 connect() failed (111: Connection refused) while connecting to upstream, client: 203.0.113.7, upstream: "http://10.0.0.5:9000/", host: "shop"`,
			"dial tcp 10.0.0.5:5432: connect: connection refused", "Error: connect ECONNREFUSED 10.0.0.5:6379",
			"java.net.ConnectException: Connection refused (Connection refused)",
		}, "http://10.0.0.5:9000/"},
		"upstream_timeout": {"shop", []string{
			`upstream timed out (110: Connection timed out) while reading response header from upstream, upstream: "http://10.0.0.5:9000/cart"`,
			"dial tcp 10.0.0.5:5432: i/o timeout", "java.net.SocketTimeoutException: Read timed out",
		}, "http://10.0.0.5:9000/cart"},
		"file_server_silent": {"kernel", []string{"nfs: server nas1 not responding, still trying", "nfs: server 10.0.0.9 not responding, timed out"}, "nas1"},
		"link_down":          {"kernel", []string{"igb 0000:01:00.0 eth0: igb: eth0 NIC Link is Down", "e1000e: eth0 NIC Link is Down", "r8169 0000:02:00.0 enp2s0: Link is Down", "NETDEV WATCHDOG: eth0 (igb): transmit queue 2 timed out"}, ""},
		"gc_pause": {"shop", []string{
			"[2026-11-21T02:00:01.123+0000][info][gc] GC(41) Pause Full (G1 Compaction Pause) 1020M->998M(1024M) 1834.567ms",
			"12.345: [Full GC (Ergonomics) [PSYoungGen: 1K->0K(2K)] 3K->2K(9K), 1.2345678 secs] [Times: user=2.1 sys=0.0, real=1.23 secs]",
		}, ""},
		"lock_wait": {"postgres", []string{
			"LOG:  process 11367 still waiting for ShareLock on transaction 717 after 1000.108 ms", "ERROR:  deadlock detected",
			"ERROR 1205 (HY000): Lock wait timeout exceeded; try restarting transaction",
		}, ""},
	}
	tried := map[string]bool{}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			for i, body := range tt.bodies {
				f := fact.Log{Host: "web1", Source: tt.source, Body: body}
				found, ok := c.Find(f)
				require.True(t, ok, body)
				require.Equal(t, name, found.Name, body)
				if i == 0 && tt.named != "" {
					require.Contains(t, found.Named, keyOf(found.Named, tt.named), body)
				}
				if tt.source != "kernel" {
					continue
				}
				_, ok = c.Find(fact.Log{Host: "web1", Body: body})
				require.True(t, ok, "a record that tells no source: %s", body)
				for _, other := range []fact.Log{{Source: "shop"}, {Service: "shop"}, {Unit: "shop.service"}, {Source: "app.log", Severity: 17}} {
					other.Body = body
					_, ok = c.Find(other)
					require.False(t, ok, "an application that says what the kernel would: %s", body)
				}
			}
		})
		tried[name] = true
	}
	for _, s := range c.Signs {
		require.True(t, tried[s.Name], "%s has no sample", s.Name)
	}
}

func keyOf(named map[string]string, value string) string {
	for k, v := range named {
		if v == value {
			return k
		}
	}
	return "nothing is named " + value
}

func TestWhatIsNoSign(t *testing.T) {
	c := shipped(t)
	for _, f := range []fact.Log{
		{Source: "kernel", Body: "sd 0:0:0:0: [sda] 1953525168 512-byte logical blocks: (1.00 TB/932 GiB)"},
		{Source: "kernel", Body: "EXT4-fs (sda1): mounted filesystem with ordered data mode. Quota mode: none."},
		{Source: "kernel", Body: "EXT4-fs (sda1): re-mounted. Opts: errors=remount-ro"},
		{Source: "kernel", Body: "XFS (sda1): Mounting V5 Filesystem"},
		{Source: "kernel", Body: "BTRFS info (device sda1): disk space caching is enabled"},
		{Source: "kernel", Body: "md/raid1:md0: active with 2 out of 2 mirrors"},
		{Source: "kernel", Body: "md: md0: data-check done."},
		{Source: "kernel", Body: "ata1: SATA link up 6.0 Gbps (SStatus 133 SControl 300)"},
		{Source: "kernel", Body: "nvme nvme0: 8/0/0 default/read/poll queues"},
		{Source: "kernel", Body: "igb 0000:01:00.0 eth0: igb: eth0 NIC Link is Up 1000 Mbps Full Duplex"},
		{Source: "kernel", Body: "php-fpm invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0"},
		{Source: "kernel", Body: "Memory cgroup out of memory: Killed process 2013 (php-fpm) total-vm:1kB"},
		{Source: "shop", Severity: 13, Body: "I/O error while reading the cart of bob"},
		{Source: "shop", Severity: 17, Body: "retrying after I/O error, dev mode is on"},
		{Source: "shop", Body: "Started processing order 502"},
		{Source: "shop", Body: "Killed /tmp/a due to memory pressure"},
		{Source: "nginx", Body: `203.0.113.7 - - [21/Nov/2026:02:00:01 +0000] "GET /cart HTTP/1.1" 200 502 "-" "curl"`},
		{Source: "nginx", Body: `203.0.113.7 - - [21/Nov/2026:02:00:01 +0000] "GET /500 HTTP/1.1" 404 157`},
		{Source: "nginx", Body: `{"status":200,"bytes":502}`},
		{Source: "nginx", Body: `{"status":5020}`},
		{Source: "nginx", Body: `{"order_status":"open"}`},
		{Source: "shop", Body: "there is space left on device"},
		{Source: "shop", Body: "[info][gc] GC(41) Pause Young (Normal) 20M->9M(64M) 1.567ms"},
		{Source: "shop", Body: "connection established"},
		{Source: "systemd", Body: "Starting shop.service - The shop..."},
		{Source: "systemd", Body: "Startup finished in 2.1s (kernel) + 4.5s (userspace) = 6.6s."},
		{Body: ""},
	} {
		found, ok := c.Find(f)
		require.False(t, ok, "%v is taken for %v", f, found.Sign)
	}
}

func TestDefaultMessages(t *testing.T) {
	c := shipped(t)
	tests := []struct{ source, body, tool, tells, outcome string }{
		{"restic", "using parent snapshot 40dc1520", "restic", "start", ""},
		{"restic", "snapshot 40dc1520 saved", "restic", "end", "ok"},
		{"restic", `{"message_type":"summary","files_new":1,"backup_start":"2026-11-21T02:00:01Z","snapshot_id":"40dc1520"}`, "restic", "end", "ok"},
		{"restic", "Fatal: unable to create lock in backend: repository is already locked", "restic", "end", "failed"},
		{"restic", "Warning: at least one source file could not be read", "restic", "phase", "partial"},
		{"borg", `Creating archive at "/srv/repo::web1-2026-11-21"`, "borg", "start", ""},
		{"borg", "terminating with success status, rc 0", "borg", "end", "ok"},
		{"borg", "terminating with warning status, rc 1", "borg", "end", "partial"},
		{"borg", "terminating with error status, rc 2", "borg", "end", "failed"},
		{"rsync", "sending incremental file list", "rsync", "start", ""},
		{"rsync", "sent 1,234,567 bytes  received 35 bytes  846.00 bytes/sec", "rsync", "end", "ok"},
		{"backup.sh", "rsync error: some files/attrs were not transferred (see previous errors) (code 23) at main.c(1338) [sender=3.2.7]", "rsync", "end", "partial"},
		{"backup.sh", "rsync error: error in socket IO (code 10) at clientserver.c(139) [sender=3.2.7]", "rsync", "end", "failed"},
		{"rclone", "2026/11/21 02:00:01 ERROR : Attempt 1/3 failed with 2 errors and: permission denied", "rclone", "phase", "partial"},
		{"rclone", "2026/11/21 02:00:01 Failed to sync: directory not found", "rclone", "end", "failed"},
		{"duplicity", "--------------[ Backup Statistics ]--------------", "duplicity", "end", "ok"},
		{"kopia", "Snapshotting root@web1:/srv ...", "kopia", "start", ""},
		{"kopia", "Created snapshot with root kf0c1b6c1bb5d9ff and ID 1a2b in 3s", "kopia", "end", "ok"},
		{"cron", "tar: Exiting with failure status due to previous errors", "tar", "end", "failed"},
		{"cron", "tar: /srv/a.log: file changed as we read it", "tar", "phase", "partial"},
		{"cron", "tar: Removing leading `/' from member names", "tar", "start", ""},
		{"cron", `pg_dump: dumping contents of table "public.orders"`, "pg_dump", "phase", ""},
		{"cron", `pg_dump: error: connection to server at "db1" (10.0.0.5), port 5432 failed: Connection refused`, "pg_dump", "end", "failed"},
		{"cron", "pg_basebackup: initiating base backup, waiting for checkpoint to complete", "pg_basebackup", "start", ""},
		{"cron", "pg_basebackup: base backup completed", "pg_basebackup", "end", "ok"},
		{"cron", "pg_basebackup: error: could not send replication command", "pg_basebackup", "end", "failed"},
		{"pgbackrest", "P00   INFO: backup command end: completed successfully (12345ms)", "pgbackrest", "end", "ok"},
		{"pgbackrest", "P00   INFO: backup command end: aborted with exception [050]", "pgbackrest", "end", "failed"},
		{"cron", "mysqldump: Got error: 2002: \"Can't connect to local MySQL server\" when trying to connect", "mysqldump", "end", "failed"},
		{"vzdump", "INFO: Backup job finished successfully", "proxmox-backup", "end", "ok"},
	}
	for _, tt := range tests {
		said, ok := c.Said(fact.Log{Source: tt.source, Body: tt.body})
		require.True(t, ok, tt.body)
		require.Equal(t, tt.tool, said.Tool.Name, tt.body)
		require.Equal(t, tt.tells, said.Tells, tt.body)
		require.Equal(t, tt.outcome, said.Outcome, tt.body)
		require.True(t, said.ByItself, tt.body)
		_, ok = c.Said(fact.Log{Source: "kernel", Body: tt.body})
		require.False(t, ok, tt.body)
	}
	for _, f := range []fact.Log{
		{Source: "restic", Body: "repository 0a1b2c3d opened (version 2, compression level auto)"},
		{Source: "rsync", Body: "rsyncd version 3.2.7 starting, listening on port 873"},
		{Source: "cron", Body: "tar: option requires an argument -- 'f'"},
		{Source: "cron", Body: "pg_dump: saving encoding = UTF8"},
		{Source: "shop", Body: "the snapshot was saved"},
	} {
		_, ok := c.Said(f)
		require.False(t, ok, f.Body)
	}
	said, ok := c.Said(fact.Log{Source: "shop", Body: "snapshot 40dc1520 saved"})
	require.True(t, ok)
	require.False(t, said.ByItself, "an application may say so, too")
	said, ok = c.Said(fact.Log{Source: "shop", Unit: "restic@home.service", Body: "snapshot 40dc1520 saved"})
	require.True(t, ok)
	require.True(t, said.ByItself)
}

func TestSentences(t *testing.T) {
	c := shipped(t)
	said := func(f fact.Log) string {
		found, ok := c.Find(f)
		require.True(t, ok)
		return found.Say(map[string]string{"host": "web1", "count": "3", "times": "3 times"})
	}
	require.Equal(t, "web1 ran out of memory and killed php-fpm (3 times)", said(fact.Log{Source: "kernel", Body: "Out of memory: Killed process 2013 (php-fpm) total-vm:1kB"}))
	require.Equal(t, "a process was killed because its control group reached its memory limit (3 times)",
		said(fact.Log{Source: "kernel", Body: "Task in /a killed as a result of limit of /a"}))
	require.Equal(t, "the kernel of web1 told 3 times of failed operations of sda", said(fact.Log{Source: "kernel", Body: "I/O error, dev sda, sector 1"}))
	for _, s := range c.Signs {
		sentence := catalog.Found{Sign: &s}.Say(map[string]string{"host": "web1", "count": "3", "times": "3 times"})
		require.NotContains(t, sentence, "{", s.Name)
		require.NotContains(t, sentence, "}", s.Name)
	}
}

// FuzzFind feeds hostile bodies: nothing panics, the cheap test never says no to
// what the expression matches, and what is named comes from the body.
func FuzzFind(f *testing.F) {
	for _, body := range []string{
		"I/O error, dev sda, sector 1", "\x1b[31mI/O error, dev sda, sector 1\x1b[0m", "Out of memory: Killed process 1 (\xff\xfe) total",
		strings.Repeat("oom-kill:constraint=CONSTRAINT_MEMCG,oom_memcg=", 100), strings.Repeat(`" 502 1`, 200), strings.Repeat("{", 1000),
		"rsync error: (code 23) at ", "\x00", "Connection refused upstream: \"" + strings.Repeat("a", 5000),
	} {
		f.Add(body, "kernel")
		f.Add(body, "")
	}
	c := shipped(f)
	var patterns []*regexp.Regexp
	for _, s := range c.Signs {
		patterns = append(patterns, regexp.MustCompile(s.Pattern.String()))
	}
	f.Fuzz(func(t *testing.T, body, source string) {
		log := fact.Log{Host: "web1", Source: source, Body: body}
		found, ok := c.Find(log)
		if ok {
			for _, value := range found.Named {
				require.Contains(t, body, value)
			}
			require.True(t, utf8.ValidString(found.Sentence))
			require.NotEmpty(t, found.Say(map[string]string{"host": "web1"}))
		}
		require.Equal(t, slowly(c, log, patterns), found.Sign)
		_, spoke := c.Said(log)
		require.Equal(t, ok || spoke, c.Evidence(log) != "")
	})
}

// slowly finds the first sign without the cheap test.
func slowly(c *catalog.Catalog, f fact.Log, patterns []*regexp.Regexp) *catalog.Sign {
	for i, s := range c.Signs {
		from := slices.Contains(s.From, catalog.FromAny) || slices.Contains(s.From, f.Source) || slices.Contains(s.From, catalog.FromKernel) && catalog.IsKernel(f)
		if from && patterns[i].MatchString(f.Body) {
			return &c.Signs[i]
		}
	}
	return nil
}

func BenchmarkEvidence(b *testing.B) {
	c := shipped(b)
	for name, body := range map[string]string{
		"access": `203.0.113.7 - - [21/Nov/2026:02:00:01 +0000] "GET /cart?item=4711 HTTP/1.1" 200 5120 "https://shop.example/" "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/140.0"`,
		"json":   `{"time":"2026-11-21T02:00:01.123Z","level":"info","msg":"request done","method":"GET","path":"/cart","status":200,"duration_ms":12.5,"user":"bob","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736"}`,
		"kernel": "audit: type=1400 audit(1795226400.123:42): apparmor=\"ALLOWED\" operation=\"open\" profile=\"shop\" name=\"/etc/shop.conf\" pid=2013 comm=\"shop\"",
	} {
		b.Run(name, func(b *testing.B) {
			f := fact.Log{Host: "web1", Service: "shop", Source: name, Body: body}
			b.ReportAllocs()
			for b.Loop() {
				if c.Evidence(f) != "" {
					b.Fatal(body)
				}
			}
		})
	}
}
