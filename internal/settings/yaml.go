package settings

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// file reads a YAML file through its nodes, so that every mistake has its line.
func (l *loader) file(name string, b []byte) {
	if name == "" {
		return
	}
	f := yamlFile{loader: l, name: name}
	dec := yaml.NewDecoder(bytes.NewReader(b))
	var doc, more yaml.Node
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
		return
	} else if err != nil {
		f.syntax(err)
		return
	}
	if err := dec.Decode(&more); !errors.Is(err, io.EOF) {
		f.problem(&more, "", "a second document: one is all that is read")
	}
	if len(doc.Content) == 1 {
		f.mapping(doc.Content[0], "")
	}
}

type yamlFile struct {
	*loader
	name string
}

func (f yamlFile) where(n *yaml.Node) string {
	if n.Line == 0 {
		return f.name
	}
	return fmt.Sprintf("%s:%d:%d", f.name, n.Line, n.Column)
}

func (f yamlFile) problem(n *yaml.Node, path, what string) {
	f.problems = append(f.problems, Problem{Where: f.where(n), Path: path, What: what})
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)

var anchorName = regexp.MustCompile(`anchor '.*`)

// syntax reports what the parser says, which quotes nothing of the file but an anchor's name: that may be a secret.
func (f yamlFile) syntax(err error) {
	where, what := f.name, "not valid YAML"
	if m := yamlLine.FindStringSubmatch(err.Error()); m != nil {
		if m[1] != "" {
			where += ":" + m[1]
		}
		what += ": " + anchorName.ReplaceAllString(m[2], "anchor; put a value that begins with * in quotes")
	}
	f.problems = append(f.problems, Problem{Where: where, What: what})
}

// resolve follows an alias.
func resolve(n *yaml.Node) *yaml.Node {
	for i := 0; n.Kind == yaml.AliasNode && i < 8; i++ {
		n = n.Alias
	}
	return n
}

// mapping reads one level of the tree; path is its own, "" at the top.
func (f yamlFile) mapping(n *yaml.Node, path string) {
	n = resolve(n)
	if isNull(n) {
		return
	}
	if n.Kind != yaml.MappingNode {
		f.problem(n, path, "settings belong here, as name: value")
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		child := join(path, key.Value)
		switch {
		case key.Kind != yaml.ScalarNode:
			f.problem(key, path, "a name belongs here")
		case key.Tag == "!!merge":
			f.problem(key, path, "merge keys (<<) are not supported: write the settings out")
		case seen[key.Value]:
			f.problem(key, child, "is set twice")
		case child == "accounts":
			f.accounts(value)
		case strings.Contains(key.Value, "."):
			f.unknown(key, path, child)
		case isLeaf(child):
			f.leaf(key, value, child)
		case isGroup(child):
			f.mapping(value, child)
		default:
			f.unknown(key, path, child)
		}
		seen[key.Value] = true
	}
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

func isLeaf(path string) bool {
	for _, p := range paths() {
		if p == path {
			return true
		}
	}
	return false
}

func isGroup(path string) bool {
	for _, p := range paths() {
		if strings.HasPrefix(p, path+".") {
			return true
		}
	}
	return false
}

// unknown reports a name that nobody knows: the nearest is looked for among its neighbours first.
func (f yamlFile) unknown(key *yaml.Node, group, path string) {
	p := Problem{Where: f.where(key), Path: path, What: "unknown setting"}
	if isLeaf(path) || isGroup(path) {
		p.What = "dots are for flags: nest it, as in " + strings.ReplaceAll(key.Value, ".", ": { ") + ": … " + strings.Repeat("}", strings.Count(key.Value, "."))
		f.problems = append(f.problems, p)
		return
	}
	known := append(paths(), "accounts")
	var beside []string
	for _, k := range known {
		if rest, ok := strings.CutPrefix(k, group+"."); ok || group == "" {
			if group == "" {
				rest = k
			}
			head, _, _ := strings.Cut(rest, ".")
			beside = append(beside, head)
		}
	}
	if n := nearest(key.Value, beside); n != "" {
		p.Nearest = join(group, n)
	} else {
		p.Nearest = nearest(path, known)
		if p.Nearest == "" {
			p.Nearest = nearest(key.Value, known)
		}
	}
	f.problems = append(f.problems, p)
}

// scalar reads a value; false, and a problem, when it is none.
func (f yamlFile) scalar(value *yaml.Node, path string) (string, bool) {
	value = resolve(value)
	if value.Kind != yaml.ScalarNode {
		f.refuse(f.where(value), path, errors.New("a single value belongs here"))
		return "", false
	}
	return value.Value, !isNull(value)
}

func (f yamlFile) leaf(key, value *yaml.Node, path string) {
	v, ok := f.scalar(value, path)
	if !ok {
		return
	}
	for _, l := range tree() {
		if l.path != path {
			continue
		}
		if err := l.set(&f.e.Settings, v); err != nil {
			f.refuse(f.where(value), path, err)
			return
		}
		f.e.origins[path] = "file " + f.name + ":" + strconv.Itoa(key.Line)
	}
}

// accounts reads the list of further accounts. Each starts from the built-in defaults: accounts share nothing, the tree's own included.
func (f yamlFile) accounts(n *yaml.Node) {
	n = resolve(n)
	if isNull(n) {
		return
	}
	if n.Kind != yaml.SequenceNode {
		f.problem(n, "accounts", "a list belongs here, each entry beginning with -")
		return
	}
	for i, item := range n.Content {
		f.account(resolve(item), fmt.Sprintf("accounts[%d]", i))
	}
}

func (f yamlFile) account(n *yaml.Node, path string) {
	var a Account
	origins := map[string]string{}
	known := []string{"name", "bots"}
	for _, l := range account() {
		_ = l.set(&a, l.def)
		known = append(known, l.path)
	}
	defer func() {
		f.e.Accounts = append(f.e.Accounts, a)
		f.e.accounts = append(f.e.accounts, origins)
	}()
	if n.Kind != yaml.MappingNode {
		f.problem(n, path, "an account's settings belong here, as name: value")
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		child := path + "." + key.Value
		if seen[key.Value] {
			f.problem(key, child, "is set twice")
			continue
		}
		seen[key.Value] = true
		origins[key.Value] = "file " + f.name + ":" + strconv.Itoa(key.Line)
		switch key.Value {
		case "name":
			a.Name, _ = f.scalar(value, child)
		case "bots":
			f.bots(value, child, &a)
		default:
			f.accountLeaf(key, value, child, known, &a)
		}
	}
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
		}
		return
	}
	p := Problem{Where: f.where(key), Path: child, What: "unknown setting"}
	if n := nearest(key.Value, known); n != "" {
		p.Nearest = strings.TrimSuffix(child, key.Value) + n
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
