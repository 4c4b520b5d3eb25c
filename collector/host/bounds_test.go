package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"go.opentelemetry.io/collector/confmap"
	"go.uber.org/zap"
)

// Every text here once grew, or would have grown, beyond what a function has of memory and time.
func TestConfigurationsThatGrowAreRefused(t *testing.T) {
	t.Setenv("ITSELF", "${env:ITSELF}")
	t.Setenv("PAIR", "${env:PAIR}${env:PAIR}")
	t.Setenv("LIST", `["${env:LIST}", "${env:LIST}"]`)
	t.Setenv("NAME", "COMPUTED")
	t.Setenv("COMPUTED", "${env:${env:NAME}}-${env:${env:NAME}}")
	t.Setenv("DOUBLE0", "x")
	for i := range 24 {
		t.Setenv(fmt.Sprint("DOUBLE", i+1), fmt.Sprintf("${env:DOUBLE%d}${env:DOUBLE%d}", i, i))
	}
	aliases := "filler: [" + strings.Repeat("y, ", 5000) + "]\na0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" // fewer would look like a bomb to the YAML library itself
	for i := range 4 {
		aliases += fmt.Sprintf("a%d: &a%d [%s]\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i), 10), ", "))
	}
	wide := strings.Builder{}
	for i := range 2 * maxNodes {
		fmt.Fprintf(&wide, "k%d: 1\n", i)
	}
	for name, c := range map[string]struct{ text, cause string }{
		"itself":        {"a: ${env:ITSELF}", "refers to itself"},
		"doubling":      {"a: x${env:PAIR}", "grows"},
		"chain":         {"a: ${env:DOUBLE24}", "grows"},
		"lists":         {"a: ${env:LIST}", "grows"},
		"computed name": {"a: ${env:COMPUTED}", "grows"},
		"aliases":       {aliases, "values"},
		"wide":          {wide.String(), "values"},
		"lists in list": {"a: " + strings.Repeat("[", 2000) + strings.Repeat("]", 2000), "deep"},
		"maps in map":   {strings.Repeat("{a: ", 2000) + "1" + strings.Repeat("}", 2000), "deep"},
	} {
		t.Run(name, func(t *testing.T) {
			var p *Problem
			uri := filepath.Join(t.TempDir(), "my.yaml")
			if err := os.WriteFile(uri, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := Load(t.Context(), []string{uri}, zap.NewNop())
			Locate(err, []string{uri})
			if !errors.As(err, &p) || !strings.Contains(p.Cause, c.cause) || p.Remedy == "" || p.Source != uri || len(p.Error()) > 1000 {
				t.Errorf("%.300v", err)
			}
		})
	}
}

func TestFilesWithoutEndAreRefused(t *testing.T) {
	var p *Problem
	if _, err := Load(t.Context(), []string{"yaml:a: ${file:/dev/zero}"}, zap.NewNop()); !errors.As(err, &p) || !strings.Contains(p.Cause, "/dev/zero is larger than") {
		t.Error(err)
	}
}

func TestValuesThatReferToOthersAreFilledIn(t *testing.T) {
	t.Setenv("HOST", "h")
	t.Setenv("PORT", "0123")
	t.Setenv("URL", "http://${env:HOST}:${env:PORT}/$${env:ANY}")
	t.Setenv("PART", "{port: '${env:PORT}', number: '${env:PORT}', none: '${env:NONE:-7}'}")
	t.Setenv("WHICH", "HOST")
	t.Setenv("ANY", "${env:${env:WHICH}}")
	many := strings.Repeat("'${env:URL}', ", 500)
	conf, err := Load(t.Context(), []string{"yaml:part: ${env:PART}\nany: ${env:ANY}\nurls: [" + many + "]"}, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Part struct {
			Port   string `mapstructure:"port"`
			Number int    `mapstructure:"number"`
			None   int    `mapstructure:"none"`
		} `mapstructure:"part"`
		Any  string   `mapstructure:"any"`
		URLs []string `mapstructure:"urls"`
	}
	if err := conf.Unmarshal(&got); err != nil {
		t.Fatalf("%.300v", err)
	}
	if len(got.URLs) != 500 || got.URLs[499] != "http://h:0123/${env:ANY}" || got.Any != "h" || got.Part.Port != "0123" || got.Part.Number != 83 || got.Part.None != 7 {
		t.Errorf("%.300v", got)
	}
}

// stubborn is a source that does not heed its context.
type stubborn struct {
	calls                 *atomic.Int32
	asked, release, ended chan struct{}
}

func (s stubborn) Retrieve(context.Context, string, confmap.WatcherFunc) (*confmap.Retrieved, error) {
	if s.calls.Add(1) == 1 {
		close(s.asked)
	}
	<-s.release
	return confmap.NewRetrieved("word")
}

func (stubborn) Scheme() string { return "stubborn" }

func (s stubborn) Shutdown(context.Context) error {
	close(s.ended)
	return nil
}

// Once the wait for the configuration is over, nothing more is fetched, and the resolver ends as soon as the source lets it.
func TestLoadStopsWhenItHasGivenUp(t *testing.T) {
	s := stubborn{&atomic.Int32{}, make(chan struct{}), make(chan struct{}), make(chan struct{})}
	factory := confmap.NewProviderFactory(func(confmap.ProviderSettings) confmap.Provider { return s })
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-s.asked; cancel() }()
	if _, err := resolve(ctx, []string{"yaml:a: [" + strings.Repeat("'${stubborn:x}', ", 1000) + "]"}, append(builtin(), factory), zap.NewNop()); err == nil {
		t.Fatal("no error")
	}
	close(s.release)
	<-s.ended
	if n := s.calls.Load(); n != 1 {
		t.Errorf("%d fetched", n)
	}
}
