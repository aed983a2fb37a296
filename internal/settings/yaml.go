package settings

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
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
	if err := dec.Decode(&more); err == nil {
		f.problem(&more, "", "a second document: one is all that is read")
	} else if !errors.Is(err, io.EOF) {
		f.syntax(err)
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
	f.unread = true
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
		f.unread = true
		return
	}
	f.each(n, path, func(key, value *yaml.Node, child string) {
		switch {
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
	})
}

// each visits a mapping's names and values, but for those that cannot be names and those that were there before.
func (f yamlFile) each(n *yaml.Node, path string, visit func(key, value *yaml.Node, child string)) {
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		child := join(path, shownName(key.Value))
		switch {
		case key.Kind != yaml.ScalarNode:
			f.problem(key, path, "a name belongs here")
		case key.Tag == "!!merge":
			f.problem(key, path, "merge keys (<<) are not supported: write the settings out")
		case seen[key.Value]:
			f.problem(key, child, "is set twice")
		default:
			visit(key, value, child)
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

// stranger is the problem of a name that nobody knows. "app_secret:value" without a space is a name to YAML, in braces.
func (f yamlFile) stranger(key *yaml.Node, path string) Problem {
	p := Problem{Where: f.where(key), Path: path, What: "unknown setting"}
	if strings.Contains(key.Value, ":") {
		p.What += ", as a space is missing after the colon"
	}
	return p
}

// unknown reports a name that nobody knows: the nearest is looked for among its neighbours first.
func (f yamlFile) unknown(key *yaml.Node, group, path string) {
	p := f.stranger(key, path)
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
	name := shownName(key.Value)
	if n := nearest(name, beside); n != "" {
		p.Nearest = join(group, n)
	} else {
		p.Nearest = nearest(path, known)
		if p.Nearest == "" {
			p.Nearest = nearest(name, known)
		}
	}
	f.problems = append(f.problems, p)
	if p.Nearest == "smartassist" || p.Nearest == "accounts" {
		f.unread = true
	}
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
		f.came(path, key)
	}
}
