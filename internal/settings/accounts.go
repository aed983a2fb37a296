package settings

import (
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// accounts reads the list of further accounts. Each starts from the built-in defaults: accounts share nothing, the tree's own included.
func (f yamlFile) accounts(n *yaml.Node) {
	n = resolve(n)
	if isNull(n) {
		return
	}
	if n.Kind != yaml.SequenceNode {
		f.problem(n, "accounts", "a list belongs here, each entry beginning with -")
		f.unread = true
		return
	}
	for i, item := range n.Content {
		path := fmt.Sprintf("accounts[%d]", i)
		f.came(path, item)
		f.account(resolve(item), path)
	}
}

// came notes where a setting came from.
func (f yamlFile) came(path string, n *yaml.Node) {
	f.e.origins[path] = "file " + f.name + ":" + strconv.Itoa(n.Line)
}

func (f yamlFile) account(n *yaml.Node, path string) {
	var a Account
	defer func() { f.e.Accounts = append(f.e.Accounts, a) }()
	known := []string{"name", "bots"}
	for _, l := range account() {
		_ = l.set(&a, l.def)
		known = append(known, l.path)
	}
	if n.Kind != yaml.MappingNode {
		f.problem(n, path, "an account's settings belong here, as name: value")
		return
	}
	f.each(n, path, func(key, value *yaml.Node, child string) {
		switch key.Value {
		case "name":
			if v, ok := f.scalar(value, child); ok {
				f.accountName(key, value, child, v, &a)
			}
		case "bots":
			f.came(child, key)
			f.bots(value, child, &a)
		default:
			f.accountLeaf(key, value, child, known, &a)
		}
	})
}

func (f yamlFile) accountName(key, value *yaml.Node, child, v string, a *Account) {
	if err := label(v); err != nil {
		f.refuse(f.where(value), child, err)
		return
	}
	a.Name = v
	f.came(child, key)
}

func (f yamlFile) accountLeaf(key, value *yaml.Node, child string, known []string, a *Account) {
	for _, l := range account() {
		if l.path != key.Value {
			continue
		}
		v, ok := f.scalar(value, child)
		if !ok {
			return
		}
		if err := l.set(a, v); err != nil {
			f.refuse(f.where(value), child, err)
			return
		}
		f.came(child, key)
		return
	}
	p := f.stranger(key, child)
	name := shownName(key.Value)
	if n := nearest(name, known); n != "" {
		p.Nearest = strings.TrimSuffix(child, name) + n
	}
	f.problems = append(f.problems, p)
}

// bots reads patterns: a list, or one alone.
func (f yamlFile) bots(n *yaml.Node, path string, a *Account) {
	n = resolve(n)
	items := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		items = n.Content
	}
	for _, item := range items {
		v, ok := f.scalar(item, path)
		if !ok {
			continue
		}
		if err := pattern(v); err != nil {
			f.refuse(f.where(item), path, err)
			continue
		}
		a.Bots = append(a.Bots, v)
	}
}
