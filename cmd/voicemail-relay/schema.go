package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"voicemail-relay/schemas"
)

func (a *app) schemaCommand() *cobra.Command {
	var check string
	cmd := &cobra.Command{
		Use:   "schema [NAME]",
		Short: "Print the JSON Schema of an event, or the AsyncAPI document",
		Long:  "Schema prints the JSON Schema of one of " + strings.Join(schemas.Names(), ", ") + ", or the AsyncAPI document for NAME asyncapi; without NAME it lists them.",
		Example: `  voicemail-relay schema voicemail.ready
  voicemail-relay schema asyncapi > asyncapi.yaml
  voicemail-relay schema call.ended --check event.json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 || check != "" && len(args) == 0 {
				return usagef("schema takes one NAME")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				fmt.Fprintln(a.stdout, strings.Join(append(schemas.Names(), "asyncapi"), "\n"))
				return nil
			}
			if args[0] == "asyncapi" && check == "" {
				_, err := a.stdout.Write(schemas.AsyncAPI())
				return err
			}
			doc, err := schemas.JSON(args[0])
			if err != nil && check == "" {
				return usagef("%w, asyncapi", err)
			}
			if err != nil {
				return usageError{err}
			}
			if check != "" {
				return a.check(args[0], check)
			}
			_, err = a.stdout.Write(doc)
			return err
		},
	}
	cmd.Flags().StringVar(&check, "check", "", "check an event in a file (- for standard input) instead; exit code 1 if it is not valid")
	return cmd
}

func (a *app) check(name, file string) error {
	in := a.stdin
	if file != "-" {
		f, err := os.Open(file) // #nosec G304 -- whoever calls the program names it
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	body, err := io.ReadAll(io.LimitReader(in, 16<<20))
	if err != nil {
		return err
	}
	if err := schemas.Validate(name, body); err != nil {
		return fmt.Errorf("not a valid %s\n%w", name, err)
	}
	fmt.Fprintf(a.stdout, "a valid %s\n", name)
	return nil
}
