// Package keydoc holds what is generated in README files and pages to its source, above all the tables of components' keys to the doc
// comments of their configuration types. Only tests use it; package trial does for the components.
//
// UPDATE_README=1 go test ./... writes it anew, between lines like <!-- keys --> and <!-- /keys -->.
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

// Check fails when the part of a page between <!-- mark --> and <!-- /mark --> is not what is generated.
func Check(t *testing.T, file, mark string, generate func() (string, error)) {
	t.Helper()
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want, err := generate()
	if err != nil {
		t.Fatal(err)
	}
	begin, end := "<!-- "+mark+" -->\n", "<!-- /"+mark+" -->"
	head, rest, opened := strings.Cut(string(page), begin)
	have, tail, closed := strings.Cut(rest, end)
	switch {
	case !opened || !closed:
		t.Fatalf("%s has no lines %q and %q", file, strings.TrimSpace(begin), end)
	case have == want:
	case os.Getenv("UPDATE_README") != "":
		if err := os.WriteFile(file, []byte(head+begin+want+end+tail), 0o600); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("%s does not have between its %s marks what is generated; UPDATE_README=1 go test writes:\n%s", file, mark, want)
	}
}

// Table is a Markdown table with a row for every key that holds a value.
func Table(defaults any) (string, error) {
	d, out := docs{}, ""
	err := each("", reflect.ValueOf(defaults), func(key string, owner reflect.Type, field string, value reflect.Value) error {
		row, err := d.row(key, owner, field, value)
		out += row
		return err
	})
	if out == "" {
		return "It has no keys.\n", err
	}
	return "| key | default | |\n|---|---|---|\n" + out, err
}

// Keys are those that hold a value, like a::b.
func Keys(defaults any) (keys []string) {
	_ = each("", reflect.ValueOf(defaults), func(key string, _ reflect.Type, _ string, _ reflect.Value) error {
		keys = append(keys, key)
		return nil
	})
	return keys
}

// each calls do for every key that holds a value.
func each(prefix string, v reflect.Value, do func(key string, owner reflect.Type, field string, value reflect.Value) error) error {
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
		if kind.Kind() == reflect.Struct {
			if err := each(key, v.Field(i), do); err != nil {
				return err
			}
		} else if err := do(key, v.Type(), field.Name, v.Field(i)); err != nil {
			return err
		}
	}
	return nil
}

// docs are the comments of fields by package path, type and field.
type docs map[string]map[string]string

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
