package startup

import (
	"maps"
	"math/rand/v2"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/hashicorp/go-version"
	"github.com/mitchellh/copystructure"
)

type matcher interface{ MatchString(s string) bool }

var patterns = map[string]matcher{
	`^[a-zA-Z][0-9a-zA-Z_]{0,62}$`:                          Type{},
	`^[^\pZ\pC\pS]+$`:                                       Name{},
	`^[0-9a-zA-Z]+(\.[0-9a-zA-Z]+)*$`:                       Gate{},
	`^[a-zA-Z_][a-zA-Z0-9_]*$`:                              Variable{},
	`[A-Za-z][A-Za-z0-9+.-]+`:                               Scheme{},
	`^[A-z]:`:                                               Drive{},
	`^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$`: Float{},
	`^[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?$`:    Sexagesimal{},
}

const uri = `(?s:^(?P<Scheme>[A-Za-z][A-Za-z0-9+.-]+):(?P<OpaqueValue>.*)$)`

func agree(t *testing.T, s string) {
	t.Helper()
	for text, ours := range patterns {
		if want, got := regexp.MustCompile(text).MatchString(s), ours.MatchString(s); got != want {
			t.Errorf("%T says %t of %q, %s says %t", ours, got, s, text, want)
		}
	}
	if want, got := regexp.MustCompile(uri).FindStringSubmatch(s), (URI{}).FindStringSubmatch(s); !slices.Equal(got, want) {
		t.Errorf("URI finds %q in %q, not %q", got, s, want)
	}
}

func TestPatternsAgreeWithTheRegularExpressions(t *testing.T) {
	for _, s := range []string{
		"", "otlp", "otlp/2", "9otlp", "_x", "a.b", ".a", "a.", "a..b", "env:X", "e:X", "file:/a\nb:c", "yaml:", ":", "a:", "ab:", "A", "Z:", "[:", "z:x", "{:",
		strings.Repeat("a", 63), strings.Repeat("a", 64), "a\n", "\n", "\xff", "a\xffb", "ñame", "名", "a b", "a\u00a0b", "a+b", "a-b", "a$", "\u0378", "\ufffd", "日本:x", "-1.5e3", "+.5", "1e", "1.", ".", "1e+", "1.e-7", "-.e1", "190:20:30", "+1_0:5:59.1_", "1:60", "1:123", "_1:2", "1:", "1:2.x", "127.0.0.1", "@", "`", "[", "é",
	} {
		agree(t, s)
	}
	// Each character on its own, and texts of characters that matter.
	name := regexp.MustCompile(`^[^\pZ\pC\pS]+$`)
	for r := rune(0); r <= unicode.MaxRune; r += 1 + r/0x3000*7 {
		if s := string(r); (Name{}).MatchString(s) != name.MatchString(s) {
			t.Errorf("Name says %t of %U", !name.MatchString(s), r)
		}
	}
	random, letters := rand.New(rand.NewPCG(1, 2)), []rune("aeZ0679_.:+-/$[^ \n\u00e9\ufffd")
	for range 2000 {
		var s strings.Builder
		for range random.IntN(8) {
			s.WriteRune(letters[random.IntN(len(letters))])
		}
		agree(t, s.String())
	}
}

func TestVersionsAgreeWithTheLibraryThatTheyStandFor(t *testing.T) {
	texts := []string{"v0.120.0", "0.120.0", "v0.99.1", "1.2", "v1", "1.2.3.4", "v1.2.3-rc.1", "1.2.3-rc.2", "1.2.3-rc.10", "1.2.3-rc", "1.2.3-alpha", "1.2.3-1", "1.2.3", "1.2.3+meta", "1.2.3-beta.1+meta", "1.2.3-alpha.beta"}
	for _, a := range texts {
		theirs, err := version.NewVersion(a)
		if err != nil {
			t.Fatal(err)
		}
		ours, err := NewVersion(a)
		if err != nil || ours.String() != theirs.String() {
			t.Errorf("%s is %v, the library says %v; %v", a, ours, theirs, err)
		}
		for _, b := range texts {
			others, _ := NewVersion(b)
			if got, want := ours.LessThan(others), theirs.LessThan(version.Must(version.NewVersion(b))); got != want {
				t.Errorf("%s before %s: %t, the library says %t", a, b, got, want)
			}
		}
	}
	for _, bad := range []string{"", "v", "x", "1..2", "1.", ".1", "99999999999999999999.0.0"} {
		if v, err := NewVersion(bad); err == nil {
			t.Errorf("%q is %v", bad, v)
		}
	}
}

func FuzzPatterns(f *testing.F) {
	f.Add("file:/opt/config.yaml")
	f.Fuzz(agree)
}

type settings struct {
	Name   string
	List   []string
	Nested *settings
	Any    any
}

func TestCopyIsDeepAndAgreesWithTheLibraryThatItStandsFor(t *testing.T) {
	m := map[string]any{
		"string": "s", "int": 1, "float": 1.5, "bool": true, "nil": nil, "duration": time.Second, "bytes": []byte("ab"), "uint": uint64(7), "time": time.Unix(1, 2),
		"map": map[string]any{"a": map[string]any{"b": []any{1, "x", map[string]any{"c": nil}}}}, "empty": map[string]any{}, "none": []any{},
		"nil map": map[string]any(nil), "strings": []string{"a", "b"}, "headers": map[string]string{"k": "v"}, "array": [2][]int{{1}, {2}}, "any keys": map[any]any{1: []any{"x"}},
		"struct": settings{"a", []string{"b"}, &settings{Name: "c"}, []any{map[string]any{"d": 1}}}, "pointer": &settings{List: []string{"e"}}, "nil pointer": (*settings)(nil),
	}
	theirs, err := copystructure.Copy(m)
	if err != nil {
		t.Fatal(err)
	}
	ours := Copy(m)
	for key := range m {
		if !reflect.DeepEqual(ours[key], theirs.(map[string]any)[key]) || reflect.TypeOf(ours[key]) != reflect.TypeOf(theirs.(map[string]any)[key]) {
			t.Errorf("%s: %#v, the library makes %#v", key, ours[key], theirs.(map[string]any)[key])
		}
	}
	before := maps.Clone(m)
	ours["map"].(map[string]any)["a"].(map[string]any)["b"].([]any)[2].(map[string]any)["c"] = "changed"
	ours["strings"].([]string)[0], ours["headers"].(map[string]string)["k"], ours["bytes"].([]byte)[0] = "changed", "changed", 'z'
	ours["array"].([2][]int)[0][0], ours["any keys"].(map[any]any)[1].([]any)[0] = 9, "changed"
	ours["struct"].(settings).Nested.Name, ours["struct"].(settings).Any.([]any)[0].(map[string]any)["d"], ours["pointer"].(*settings).List[0] = "changed", 9, "changed"
	if again := Copy(before); !reflect.DeepEqual(again, theirs) {
		t.Errorf("a change of the copy changed the original: %v", again)
	}
}

type (
	numbers []int
	index   map[string]int
	text    string
)

func (*text) Method() {}

type embeds struct{ *text }

func TestTypesAreReflects(t *testing.T) {
	types := []reflect.Type{
		reflect.TypeFor[[]int](), reflect.TypeFor[numbers](), reflect.TypeFor[map[string]int](), reflect.TypeFor[index](), reflect.TypeFor[[2]int](), reflect.TypeFor[*text](),
		reflect.TypeFor[text](), reflect.TypeFor[string](), reflect.TypeFor[any](), reflect.TypeFor[embeds](), reflect.TypeFor[struct{ *text }](), reflect.TypeFor[[]string](), reflect.TypeFor[int](),
	}
	for _, a := range types {
		if !MayHaveMethods(a) && reflect.PointerTo(a).NumMethod() > 0 {
			t.Errorf("*%s has methods", a)
		}
		for _, b := range types {
			if SliceOf(a, b) != reflect.SliceOf(b) || IsSliceOf(a, b) != (a == reflect.SliceOf(b)) {
				t.Errorf("slice of %s beside %s: %s", b, a, SliceOf(a, b))
			}
			if MapOf(a, reflect.TypeFor[string](), b) != reflect.MapOf(reflect.TypeFor[string](), b) {
				t.Errorf("map of %s beside %s", b, a)
			}
		}
	}
	if MayHaveMethods(reflect.TypeFor[[]string]()) || !MayHaveMethods(reflect.TypeFor[struct{ *text }]()) {
		t.Error("a slice may have methods, or a struct that embeds may not")
	}
}

func TestCopyOfNothing(t *testing.T) {
	if got := Copy(nil); got == nil || len(got) != 0 {
		t.Errorf("%#v", got)
	}
}
