package main

import (
	"encoding/json"
	"errors"
	"io"
	"net/url"
	"runtime/debug"
	"strings"
)

// bom is a bill of materials in CycloneDX 1.6 (https://cyclonedx.org/docs/1.6/json/): which modules the program was built from. It holds no
// date and no serial number, so that the same program tells the same.
type bom struct {
	Schema       string       `json:"$schema"`
	Format       string       `json:"bomFormat"`
	Spec         string       `json:"specVersion"`
	Version      int          `json:"version"`
	Metadata     bomMetadata  `json:"metadata"`
	Components   []component  `json:"components"`
	Dependencies []dependency `json:"dependencies"`
}

type bomMetadata struct {
	Component component `json:"component"`
}

type component struct {
	Type       string     `json:"type"`
	Ref        string     `json:"bom-ref"`
	Name       string     `json:"name"`
	Version    string     `json:"version"`
	PURL       string     `json:"purl"`
	Licences   []any      `json:"licenses,omitempty"`
	Properties []property `json:"properties,omitempty"`
}

type property struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type dependency struct {
	Ref string   `json:"ref"`
	On  []string `json:"dependsOn"`
}

// writeSBOM writes the bill of materials of a build.
func writeSBOM(w io.Writer, info *debug.BuildInfo, version string) error {
	if info == nil {
		return errors.New("version --sbom: the program was built without its build info")
	}
	program := component{Type: "application", Name: info.Main.Path, Version: version, Licences: []any{map[string]any{"license": map[string]string{"id": "Apache-2.0"}}}}
	program.PURL = purl(program.Name, version)
	for _, s := range info.Settings {
		switch s.Key {
		case "GOOS", "GOARCH", "CGO_ENABLED", "vcs.revision", "vcs.modified":
			program.Properties = append(program.Properties, property{"build:" + s.Key, s.Value})
		}
	}
	program.Ref = program.PURL
	std := component{Type: "library", Name: "std", Version: strings.TrimPrefix(info.GoVersion, "go")}
	std.PURL = purl("std", std.Version)
	std.Ref = std.PURL
	b := bom{Schema: "http://cyclonedx.org/schema/bom-1.6.schema.json", Format: "CycloneDX", Spec: "1.6", Version: 1, Metadata: bomMetadata{program}, Components: []component{std}}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		c := component{Type: "library", Name: m.Path, Version: m.Version, PURL: purl(m.Path, m.Version)}
		c.Ref = c.PURL
		if m.Sum != "" {
			c.Properties = []property{{"go:sum", m.Sum}}
		}
		b.Components = append(b.Components, c)
	}
	all := dependency{Ref: program.Ref, On: []string{}}
	for _, c := range b.Components {
		all.On = append(all.On, c.Ref)
	}
	b.Dependencies = []dependency{all}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(b)
}

// purl is a package URL (https://github.com/package-url/purl-spec), by which scanners know a module.
func purl(path, version string) string {
	p := "pkg:golang/" + path
	if version != "" {
		p += "@" + url.QueryEscape(version)
	}
	return p
}
