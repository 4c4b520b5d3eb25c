// Package keydoc writes the key tables of the components' README files from the doc comments of their configuration types. Only tests
// use it. In a component's test:
//
//	func TestREADME(t *testing.T) { keydoc.Check(t, createDefaultConfig()) }
//
// UPDATE_README=1 go test ./... writes the tables anew, between the lines <!-- keys --> and <!-- /keys -->.
package keydoc

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

const begin, end = "<!-- keys -->\n", "<!-- /keys -->"

// Check fails when the table in README.md is not that of the configuration, whose values are the defaults.
func Check(t *testing.T, defaults any) {
	t.Helper()
	page, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	want, err := Table(defaults)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, opened := strings.Cut(string(page), begin)
	have, tail, closed := strings.Cut(rest, end)
	switch {
	case !opened || !closed:
		t.Fatalf("README.md has no lines %q and %q", strings.TrimSpace(begin), end)
	case have == want:
	case os.Getenv("UPDATE_README") != "":
		if err := os.WriteFile("README.md", []byte(head+begin+want+end+tail), 0o600); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("the key table of README.md is not what the doc comments say; UPDATE_README=1 go test writes:\n%s", want)
	}
}

// Table is a Markdown table with a row for every key that holds a value.
func Table(defaults any) (string, error) {
	d := docs{}
	out := "| key | default | |\n|---|---|---|\n"
	rows, err := d.rows("", reflect.ValueOf(defaults))
	return out + rows, err
}

// docs are the comments of fields by package path, type and field.
type docs map[string]map[string]string

func (d docs) rows(prefix string, v reflect.Value) (out string, err error) {
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			v = reflect.New(v.Type().Elem())
		}
		v = v.Elem()
	}
	for i := range v.NumField() {
		field := v.Type().Field(i)
		name, flags, tagged := strings.Cut(field.Tag.Get("mapstructure"), ",")
		if name == "-" || (name == "" && !tagged) {
			continue
		}
		key := strings.TrimPrefix(prefix+"::"+name, "::")
		if flags == "squash" {
			key = prefix
		}
		kind := field.Type
		if kind.Kind() == reflect.Pointer {
			kind = kind.Elem()
		}
		var more string
		if kind.Kind() == reflect.Struct {
			more, err = d.rows(key, v.Field(i))
		} else {
			more, err = d.row(key, v.Type(), field.Name, v.Field(i))
		}
		if err != nil {
			return "", err
		}
		out += more
	}
	return out, nil
}

func (d docs) row(key string, owner reflect.Type, field string, value reflect.Value) (string, error) {
	if d[owner.PkgPath()] == nil {
		found, err := comments(owner.PkgPath())
		if err != nil {
			return "", err
		}
		d[owner.PkgPath()] = found
	}
	text := d[owner.PkgPath()][owner.Name()+"."+field]
	if text == "" {
		return "", fmt.Errorf("%s.%s has no doc comment", owner.Name(), field)
	}
	text = strings.TrimPrefix(text, field+" ")
	for _, verb := range []string{"is ", "are "} {
		text = strings.TrimPrefix(text, verb)
	}
	shown := ""
	if duration, ok := value.Interface().(time.Duration); ok {
		shown = "`" + duration.String() + "`"
	} else if !value.IsZero() || value.Kind() == reflect.Bool {
		shown = fmt.Sprintf("`%v`", value)
	}
	return fmt.Sprintf("| `%s` | %s | %s |\n", key, shown, strings.ReplaceAll(text, "|", `\|`)), nil
}

// comments reads those of a package of this module.
func comments(path string) (map[string]string, error) {
	root, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	for {
		if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
			break
		}
		root = filepath.Dir(root)
	}
	_, inside, _ := strings.Cut(path, "/collector/")
	files, err := filepath.Glob(filepath.Join(root, inside, "*.go"))
	if err != nil {
		return nil, err
	}
	found := map[string]string{}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			if fields, ok := spec.Type.(*ast.StructType); ok {
				for _, f := range fields.Fields.List {
					for _, ident := range f.Names {
						found[spec.Name.Name+"."+ident.Name] = strings.Join(strings.Fields(f.Doc.Text()), " ")
					}
				}
			}
			return true
		})
	}
	return found, nil
}
