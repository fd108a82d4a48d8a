// Renders one template of a chart as Helm would, as far as the chart's own templates go: the values are JSON on standard
// input, and of Helm's functions there is only `quote`. A value that does not exist is an error, not an empty text.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"text/template"
)

func quote(value any) string {
	return fmt.Sprintf("%q", fmt.Sprint(value))
}

func render(path string) error {
	var values map[string]any
	if err := json.NewDecoder(os.Stdin).Decode(&values); err != nil {
		return err
	}
	parsed, err := template.New(filepath.Base(path)).
		Option("missingkey=error").
		Funcs(template.FuncMap{"quote": quote}).
		ParseFiles(path)
	if err != nil {
		return err
	}
	return parsed.Execute(os.Stdout, map[string]any{"Values": values})
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: render-chart <template> <values.json")
		os.Exit(2)
	}
	if err := render(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
