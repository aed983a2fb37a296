package main

import (
	"encoding/json"
	"regexp"
	"runtime/debug"
	"strings"
	"testing"
)

func TestSBOMListsWhatTheProgramIsBuiltFrom(t *testing.T) {
	out, stderr, code := called(t, "", nil, "version", "--sbom")
	if code != 0 || stderr != "" {
		t.Fatalf("exit %d: %s", code, stderr)
	}
	if again, _, _ := called(t, "", nil, "version", "--sbom"); again != out {
		t.Error("it tells something else the second time")
	}
	var b bom
	dec := json.NewDecoder(strings.NewReader(out))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&b); err != nil {
		t.Fatal(err)
	}
	if b.Format != "CycloneDX" || b.Spec != "1.6" || b.Version != 1 || b.Metadata.Component.Type != "application" || b.Metadata.Component.Name != "voicemail-relay" || len(b.Metadata.Component.Licences) != 1 {
		t.Errorf("got %+v, want a CycloneDX 1.6 document of the application", b)
	}
	info, ok := debug.ReadBuildInfo()
	if !ok || len(info.Deps) == 0 {
		t.Fatal("the test was built without its build info")
	}
	if len(b.Components) != 1+len(info.Deps) {
		t.Errorf("%d components, want Go's library and %d modules", len(b.Components), len(info.Deps))
	}
	form := regexp.MustCompile(`^pkg:golang/[A-Za-z0-9._~/-]+(@[A-Za-z0-9._~%-]+)?$`)
	refs := map[string]bool{b.Metadata.Component.Ref: true}
	for _, c := range append(b.Components, b.Metadata.Component) {
		if !form.MatchString(c.PURL) || c.Name == "" || c.Version == "" || c.Type != "library" && c.Type != "application" {
			t.Errorf("got %+v, want a component with name, version and package URL", c)
		}
		if c.Ref != b.Metadata.Component.Ref && refs[c.Ref] {
			t.Errorf("%s is listed twice", c.Ref)
		}
		refs[c.Ref] = true
	}
	for _, want := range []string{"pkg:golang/std@1.", "pkg:golang/github.com/nats-io/nats.go@v1.", "pkg:golang/github.com/golang-jwt/jwt/v5@v5.", "h1:"} {
		if !strings.Contains(out, want) {
			t.Errorf("it lacks %s", want)
		}
	}
	for _, d := range b.Dependencies {
		for _, ref := range append(d.On, d.Ref) {
			if !refs[ref] {
				t.Errorf("a dependency on %s, which is no component", ref)
			}
		}
	}
	if len(b.Dependencies) != 1 || len(b.Dependencies[0].On) != len(b.Components) {
		t.Errorf("got %d dependencies, want those of the program on each component", len(b.Dependencies))
	}
}

func TestSBOMNamesWhatAModuleWasReplacedBy(t *testing.T) {
	var out strings.Builder
	info := &debug.BuildInfo{GoVersion: "go1.26.0", Deps: []*debug.Module{{Path: "example.com/a", Version: "v1.0.0", Replace: &debug.Module{Path: "example.com/b", Version: "v2.0.0+incompatible"}}}}
	if err := writeSBOM(&out, info, "v1.2.3"); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); strings.Contains(got, "example.com/a") || !strings.Contains(got, "pkg:golang/example.com/b@v2.0.0%2Bincompatible") {
		t.Errorf("got %s", got)
	}
	if err := writeSBOM(&out, nil, ""); err == nil {
		t.Error("without build info there is nothing to tell, and it does not say so")
	}
}
