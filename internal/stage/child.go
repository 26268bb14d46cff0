package stage

import (
	"maps"
	"path/filepath"
)

// Child makes a group within g, so that the pressure of its members can be read
// apart. The limits of g hold for all its children together; they must be set
// before. Where version 2 is not mounted, a child is g itself.
func (g *Group) Child(name string) (*Group, error) {
	if err := g.stage.reserve("group", g.name+"-"+name); err != nil {
		return nil, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	c := &Group{stage: g.stage, name: g.name + "-" + name, home: g.home, dirs: maps.Clone(g.dirs)}
	if g.Unified() == "" {
		return c, nil
	}
	c.home = filepath.Join(g.home, name)
	for controller, dir := range c.dirs {
		if dir == g.home {
			c.dirs[controller] = c.home
		}
	}
	return c, g.stage.makeGroup(c.home)
}
