package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"
)

// version is the module's version as the build recorded it, or its commit.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v := info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && (v == "" || v == "(devel)") && len(s.Value) >= 12 {
			v = "devel-" + s.Value[:12]
		}
	}
	if v == "" || v == "(devel)" {
		return "devel"
	}
	return v
}

func (a *app) versionCommand() *cobra.Command {
	var asJSON, sbom bool
	cmd := &cobra.Command{
		Use: "version", Short: "Print the version, or the bill of materials", Args: noArgs,
		Example: `  voicemail-relay version --json
  voicemail-relay version --sbom > voicemail-relay.cdx.json`,
		RunE: func(*cobra.Command, []string) error {
			if sbom {
				info, _ := debug.ReadBuildInfo() // nil if there is none
				return writeSBOM(a.stdout, info, version())
			}
			return a.printVersion(asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print it as JSON")
	cmd.Flags().BoolVar(&sbom, "sbom", false, "print which modules it is built from, in CycloneDX 1.6")
	return cmd
}

func (a *app) printVersion(asJSON bool) error {
	v := map[string]string{"version": version(), "go": runtime.Version(), "nats.go": nats.Version, "nats-server": server.VERSION}
	if asJSON {
		out, _ := json.Marshal(v)
		_, err := fmt.Fprintln(a.stdout, string(out))
		return err
	}
	_, err := fmt.Fprintf(a.stdout, "voicemail-relay %s (%s, nats.go %s, embedded nats-server %s)\n", v["version"], v["go"], v["nats.go"], v["nats-server"])
	return err
}
