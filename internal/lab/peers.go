package lab

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/otel-culprit/culprit/internal/lab/child"
	"github.com/otel-culprit/culprit/internal/lab/victim"
)

// makePeers starts what backups that go to another host talk to. Any neighbour
// of this host can send packets to an address of the lab: they serve the site's
// host alone, or whoever has the password. Nothing else that listens there, such
// as the collector, does more than to take telemetry.
func (s *scene) makePeers(ctx context.Context) error {
	if s.net == nil {
		return nil
	}
	dir := s.file("peer")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return fmt.Errorf("make the directory of the other host: %w", err)
	}
	conf := s.file("rsyncd.conf")
	text := fmt.Sprintf("use chroot = no\nreverse lookup = no\nhosts allow = %s\n[backup]\npath = %s\nread only = false\nuid = %d\ngid = %d\n",
		s.inside, dir, os.Getuid(), os.Getgid())
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		return fmt.Errorf("write the configuration of rsync's daemon: %w", err)
	}
	password := rand.Text()
	for _, peer := range []struct {
		program string
		port    int
		args    []string
	}{
		{"rsync", rsyncPort, []string{"--daemon", "--no-detach", "--config=" + conf, "--address=" + s.world, fmt.Sprintf("--port=%d", s.ports[rsyncPort])}},
		{"rclone", webdavPort, []string{"serve", "webdav", "--addr", s.addr(s.world, webdavPort), "--dir-cache-time=0s", dir}},
	} {
		program, err := exec.LookPath(peer.program)
		if err != nil {
			continue // a plan that needs it says so
		}
		named := filepath.Join(dir+"-"+peer.program, "lab-peer")
		if err := errors.Join(os.Mkdir(filepath.Dir(named), 0o700), os.Symlink(program, named)); err != nil {
			return fmt.Errorf("name what stands for another host: %w", err)
		}
		sp := child.Spec{Name: "the other host's " + peer.program, Argv: append([]string{named}, peer.args...), Env: []string{"RCLONE_USER=" + victim.Service, "RCLONE_PASS=" + password}, CPUs: s.cpus.Rest}
		if _, err := s.start(ctx, sp, s.addr(s.world, peer.port)); err != nil {
			return err
		}
	}
	return s.tellPassword(ctx, password)
}

// tellPassword gives the jobs what rclone needs at the other host, in the form in
// which it takes passwords.
func (s *scene) tellPassword(ctx context.Context, password string) error {
	program, err := exec.LookPath("rclone")
	if err != nil {
		return nil //nolint:nilerr // a plan that needs it says so
	}
	cmd := exec.CommandContext(ctx, program, "obscure", "-") //nolint:gosec // found above
	cmd.Env = child.Spec{Home: s.stage.Dir()}.Environment()
	cmd.Stdin = strings.NewReader(password)
	cmd.WaitDelay = child.Patience
	obscured, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("obscure the password of the other host: %w", err)
	}
	s.env = append(s.env, "RCLONE_WEBDAV_USER="+victim.Service, "RCLONE_WEBDAV_PASS="+strings.TrimSpace(string(obscured)))
	return nil
}
