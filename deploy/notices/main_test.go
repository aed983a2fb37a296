package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestClassify(t *testing.T) {
	const bsd = "Redistribution and use in source and binary forms, with or without\nmodification, are permitted provided that …"
	for _, row := range []struct{ name, text, want, err string }{
		{"MIT", "MIT License\n\nPermission is hereby granted, free of charge, to any person obtaining a copy\nof this software and …", "MIT", ""},
		{"Apache", "Apache License\n   Version 2.0, January 2004\n", "Apache-2.0", ""},
		{"three clauses", bsd + " Neither the name may be used to endorse or promote products derived from\nthis software without specific prior written permission.", "BSD-3-Clause", ""},
		{"two clauses", bsd, "BSD-2-Clause", ""},
		{"two licences", bsd + "\nPermission is hereby granted, free of charge, to any person obtaining a copy of this software", "BSD-2-Clause AND MIT", ""},
		{"GPL", "GNU GENERAL PUBLIC LICENSE\nVersion 3", "", "general public license"},
		{"AGPL", "GNU AFFERO GENERAL PUBLIC LICENSE", "", "general public license"},
		{"LGPL beside MIT", "Permission is hereby granted, free of charge, to any person obtaining a copy of this software. Parts are under the GNU Lesser General Public\nLicense.", "", "general public license"},
		{"MPL", "Mozilla Public License Version 2.0", "", "mozilla"},
		{"BSL", "Business Source License 1.1", "", "business source"},
		{"four clauses", bsd + " All advertising materials mentioning features or use of this\nsoftware must …", "", "advertising"},
		{"something else", "You may use this on Tuesdays.", "", "not known"},
		{"nothing", "", "", "not known"},
	} {
		got, err := classify(row.text)
		if strings.Join(got, " AND ") != row.want || (err != nil) != (row.err != "") || err != nil && !strings.Contains(err.Error(), row.err) {
			t.Errorf("%s: got %v and %v, want %q and %q", row.name, got, err, row.want, row.err)
		}
	}
}

func TestModuleWithoutALicenceIsRefused(t *testing.T) {
	m := module{path: "example.com/m", version: "v1.0.0", dir: t.TempDir()}
	if err := m.read(); err == nil || !strings.Contains(err.Error(), "no licence") {
		t.Errorf("got %v", err)
	}
	if err := os.WriteFile(filepath.Join(m.dir, "COPYING.md"), []byte("Mozilla Public License"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := m.read(); err == nil || !strings.Contains(err.Error(), "example.com/m v1.0.0: COPYING.md") {
		t.Errorf("got %v", err)
	}
}

func TestEveryModuleMayBeBuiltIn(t *testing.T) {
	t.Chdir("../..")
	var list, notices strings.Builder
	if err := run(&list, true); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"the Go standard library go1.", "github.com/nats-io/nats.go v1.", "github.com/rogpeppe/go-internal v1."} {
		if !strings.Contains(list.String(), want) {
			t.Errorf("the list lacks %s:\n%s", want, list.String())
		}
	}
	if err := run(&notices, false); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"github.com/nats-io/nats-server/v2 v2.", "Apache License", "Copyright 2009 The Go Authors", "--- NOTICE", "github.com/inconshreveable/mousetrap"} {
		if !strings.Contains(notices.String(), want) {
			t.Errorf("the notices lack %s", want)
		}
	}
	if strings.Contains(notices.String(), "go-internal") {
		t.Error("the notices hold what only the tests are built from")
	}
}
