package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"voicemail-relay/internal/settings"
)

func (a *app) configCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Print the effective settings, or write a file of them",
		Long:  "Config prints every setting's effective value and where it came from, secrets masked, after checking all of them.",
		Example: `  voicemail-relay config --config relay.yaml
  RELAY_WAIT_FIRST=20s voicemail-relay config --json
  voicemail-relay config init relay.yaml`,
		Args: noArgs, Annotations: map[string]string{usesSettings: "y"},
		RunE: func(cmd *cobra.Command, _ []string) error {
			e, err := a.load(cmd, settings.NeedNothing)
			if err != nil {
				return err
			}
			if asJSON {
				rows := []map[string]string{}
				for _, r := range e.Rows() {
					rows = append(rows, map[string]string{"setting": r.Path, "value": r.Value, "origin": r.Origin})
				}
				enc := json.NewEncoder(a.stdout)
				enc.SetEscapeHTML(false)
				enc.SetIndent("", "  ")
				return enc.Encode(rows)
			}
			w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
			for _, r := range e.Rows() {
				fmt.Fprintf(w, "%s\t%s\t%s\n", r.Path, r.Value, r.Origin)
			}
			return w.Flush()
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print them as JSON")
	cmd.AddCommand(&cobra.Command{
		Use:     "init [FILE]",
		Short:   "Write a commented settings file, to standard output or to a new FILE",
		Example: "  voicemail-relay config init relay.yaml",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usagef("config init takes one FILE at most")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				_, err := a.stdout.Write(settings.Init())
				return err
			}
			f, err := os.OpenFile(args[0], os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) // it will hold a secret, perhaps
			if errors.Is(err, fs.ErrExist) {
				return fmt.Errorf("%s is there already: choose another name or remove it", args[0])
			}
			if err != nil {
				return err
			}
			_, err = f.Write(settings.Init())
			return errors.Join(err, f.Close())
		},
	})
	return cmd
}
