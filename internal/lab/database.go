package lab

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sys/unix"

	"github.com/otel-culprit/culprit/internal/stage"
)

const (
	databaseName = "shop"
	databaseUser = "lab"
	nobody       = 65534

	everyPostgres   = "/usr/lib/postgresql/*/bin" // where Debian has its servers
	postgresPackage = "postgresql"
)

// databaseConfig describes a PostgreSQL server.
type databaseConfig struct {
	dir  string // for its data, such as one on a disk of the lab; made
	temp string // for its socket, log and password, which exists
	port int    // on the loopback interface
	// items is how many rows the table item has, each of about 1 KiB.
	items int
	cpus  unix.CPUSet
	wrap  func(argv []string) []string // for the server alone
}

// database is a PostgreSQL server.
type database struct {
	*child
	cfg      databaseConfig
	sockets  string // directory
	password string
}

// startDatabase makes a database with its table, whose pages are not cached
// then, and serves it.
func startDatabase(ctx context.Context, cfg databaseConfig) (*database, error) {
	server, err := findServer("postgres", everyPostgres, postgresPackage)
	if err != nil {
		return nil, err
	}
	initdb, err := findServer("initdb", everyPostgres, postgresPackage)
	if err != nil {
		return nil, err
	}
	db := &database{cfg: cfg, sockets: filepath.Join(cfg.temp, "socket"), password: rand.Text()}
	as, err := db.makeDirectories()
	if err != nil {
		return nil, err
	}
	if err = db.initialise(ctx, initdb, as); err != nil {
		return nil, err
	}
	db.child, err = start(ctx, spec{
		name: "PostgreSQL",
		argv: []string{
			server, "-D", cfg.dir, "-k", db.sockets, "-p", strconv.Itoa(cfg.port),
			"-c", "listen_addresses=127.0.0.1", "-c", "shared_buffers=32MB", "-c", "jit=off",
			"-c", "autovacuum=off", // it would come at its own times
		},
		// It must take its shared memory with it, and need not tidy its data.
		ends: unix.SIGQUIT,
		home: cfg.temp, dir: cfg.dir, as: as, cpus: cfg.cpus, wrap: cfg.wrap, log: filepath.Join(cfg.temp, "postgres.log"),
	})
	if err != nil {
		return nil, err
	}
	if err := db.fill(ctx); err != nil {
		db.stop()
		return nil, err
	}
	return db, nil
}

// makeDirectories makes those of the server, and finds the account that may
// have them: PostgreSQL refuses to be run by root. It is nil for our own.
func (db *database) makeDirectories() (*account, error) {
	for _, dir := range []string{db.cfg.dir, db.sockets} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("make a directory of the database: %w", err)
		}
	}
	if os.Geteuid() != 0 {
		return nil, nil //nolint:nilnil // documented
	}
	if _, err := exec.LookPath("setpriv"); err != nil {
		return nil, errors.New("PostgreSQL refuses to be run by root, and setpriv, which would change the user, is not in the PATH: install util-linux")
	}
	as := databaseAccount()
	for _, dir := range []string{db.cfg.dir, db.sockets} {
		if err := os.Chown(dir, int(as.uid), int(as.gid)); err != nil {
			return nil, fmt.Errorf("give a directory to the database's user: %w", err)
		}
		if err := mustLetPass(dir); err != nil {
			return nil, err
		}
	}
	return as, nil
}

// databaseAccount is postgres where there is one, or else nobody.
func databaseAccount() *account {
	as := account{uid: nobody, gid: nobody}
	if u, err := user.Lookup("postgres"); err == nil {
		uid, noUID := strconv.ParseUint(u.Uid, 10, 32)
		gid, noGID := strconv.ParseUint(u.Gid, 10, 32)
		if noUID == nil && noGID == nil {
			as = account{uid: uint32(uid), gid: uint32(gid)}
		}
	}
	return &as
}

// mustLetPass refuses a directory to which others cannot get.
func mustLetPass(dir string) error {
	for at := filepath.Dir(dir); ; at = filepath.Dir(at) {
		info, err := os.Stat(at)
		if err != nil {
			return fmt.Errorf("look at the way to %s: %w", dir, err)
		}
		if info.Mode()&1 == 0 {
			return fmt.Errorf("the database's user cannot get to %s, because %s lets only its owner pass: chmod o+x %s", dir, at, at)
		}
		if at == filepath.Dir(at) {
			return nil
		}
	}
}

// initialise runs initdb to its end.
func (db *database) initialise(ctx context.Context, initdb string, as *account) error {
	secret := filepath.Join(db.sockets, "password")
	if err := os.WriteFile(secret, []byte(db.password), 0o600); err != nil {
		return fmt.Errorf("write the password of the database: %w", err)
	}
	if as != nil {
		if err := os.Chown(secret, int(as.uid), int(as.gid)); err != nil {
			return fmt.Errorf("give the password to the database's user: %w", err)
		}
	}
	c, err := start(ctx, spec{
		name: "initdb",
		argv: []string{
			initdb, "-D", db.cfg.dir, "-U", databaseUser, "--pwfile", secret,
			// Only the server's user and root get to the socket.
			"--auth-local=trust", "--auth-host=scram-sha-256", "--no-sync", "--locale=C", "-E", "UTF8",
		},
		home: db.cfg.temp, dir: db.sockets, as: as, cpus: db.cfg.cpus, log: filepath.Join(db.cfg.temp, "initdb.log"),
	})
	if err != nil {
		return err
	}
	<-c.done
	if c.err != nil {
		return c.failure()
	}
	return nil
}

// table is that of the database. The parts of a row's filler differ, so that it
// compresses about as text does.
const table = `
CREATE TABLE item (id bigint PRIMARY KEY, stock int NOT NULL, filler text NOT NULL) WITH (fillfactor = 80);
INSERT INTO item SELECT g, 1000, repeat(md5(g::text) || md5((-g)::text) || ' the item is in stock and can be sent today ', 8) FROM generate_series(1, %d) g;`

// fill makes the table.
func (db *database) fill(ctx context.Context) error {
	if err := db.ready(ctx, 30*time.Second, func(ctx context.Context) error { return db.execute(ctx, "postgres", "SELECT 1") }); err != nil {
		return err
	}
	if err := db.execute(ctx, "postgres", "CREATE DATABASE "+databaseName); err != nil {
		return fmt.Errorf("make the database: %w", err)
	}
	for _, statements := range []string{
		fmt.Sprintf(table, db.cfg.items),
		"VACUUM (FREEZE, ANALYZE)", // else whoever reads a row first writes it again
		"CHECKPOINT",
	} {
		if err := db.execute(ctx, databaseName, statements); err != nil {
			return fmt.Errorf("make the table of the database: %w", err)
		}
	}
	if err := syncStorage(db.cfg.dir); err != nil {
		return err
	}
	return stage.Evict(ctx, db.tables())
}

// tables is the directory in which tables are.
func (db *database) tables() string { return filepath.Join(db.cfg.dir, "base") }

// execute runs statements that give nothing.
func (db *database) execute(ctx context.Context, name, statements string) error {
	conn, err := pgx.Connect(ctx, db.url(name))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }() // nothing is under way
	_, err = conn.PgConn().Exec(ctx, statements).ReadAll()
	return err
}

// url is how the lab itself reaches a database: by the socket, which is the same
// in all networks.
func (db *database) url(name string) string {
	how := url.Values{"host": {db.sockets}, "port": {strconv.Itoa(db.cfg.port)}}
	u := url.URL{Scheme: "postgres", User: url.User(databaseUser), Path: "/" + name, RawQuery: how.Encode()}
	return u.String()
}

// env is for clients such as pg_dump and the site. Those that cannot get to the
// socket set PGHOST to 127.0.0.1.
func (db *database) env() []string {
	return []string{
		"PGHOST=" + db.sockets, "PGPORT=" + strconv.Itoa(db.cfg.port),
		"PGUSER=" + databaseUser, "PGDATABASE=" + databaseName, "PGPASSWORD=" + db.password,
	}
}
