package main

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/open-telemetry/opentelemetry-lambda/collector/lambda"
)

func collectorPage(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile("../docs/collector.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}

func TestEveryGuaranteeNamesATestThatIsThere(t *testing.T) {
	_, section, found := strings.Cut(collectorPage(t), "## What is guaranteed")
	section, _, _ = strings.Cut(section, "\n## ")
	files, err := exec.Command("git", "ls-files", "--cached", "--others", "--exclude-standard", "*_test.go", "../utils/tests/*.py").Output()
	if err != nil || !found {
		t.Fatal(err, found)
	}
	var code strings.Builder
	for _, file := range strings.Fields(string(files)) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		code.Write(text)
	}
	rows := 0
	for line := range strings.Lines(section) {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| guarantee") {
			continue
		}
		rows++
		named := regexp.MustCompile("`((?:Test|test_)\\w+)`").FindAllStringSubmatch(line, -1)
		if len(named) == 0 {
			t.Errorf("no test is named: %s", line)
		}
		for _, name := range named {
			if !strings.Contains(code.String(), "\nfunc "+name[1]+"(t *testing.T)") && !strings.Contains(code.String(), "\ndef "+name[1]+"(") {
				t.Errorf("there is no %s", name[1])
			}
		}
	}
	if rows < 10 {
		t.Errorf("%d guarantees", rows)
	}
}

func TestVariablesOfTheLifeAreAsThePageSays(t *testing.T) {
	page := collectorPage(t)
	_, table, _ := strings.Cut(page, "## Variables")
	for _, row := range regexp.MustCompile("(?m)^\\| `([A-Z_]+)`").FindAllStringSubmatch(table, -1) {
		if out, err := exec.Command("git", "grep", "-q", "--untracked", `"`+row[1]+`"`, "--", "*.go", ":!*_test.go").CombinedOutput(); err != nil {
			t.Errorf("%s is not read anywhere: %v %s", row[1], err, out)
		}
	}
	for _, policy := range []lambda.Policy{lambda.Auto, lambda.End, lambda.Periodic, lambda.AtShutdown} {
		if !strings.Contains(page, "\n- `"+string(policy)+"`") {
			t.Errorf("%s is not explained", policy)
		}
	}
	defaults, _ := lambda.FlushFromEnvironment(func(string) string { return "" })
	if defaults != (lambda.Flush{Policy: lambda.Auto, MaxAge: 20 * time.Second, Wait: 2 * time.Second}) {
		t.Errorf("the page says other defaults than %+v", defaults)
	}
	for _, example := range []string{"periodic,60000", "periodic,1m"} {
		got, bad := lambda.FlushFromEnvironment(func(name string) string { return map[string]string{"OTEL_LAMBDA_FLUSH": example}[name] })
		if !strings.Contains(page, "`"+example+"`") || len(bad) > 0 || got.MaxAge != time.Minute {
			t.Errorf("%s: %+v %q", example, got, bad)
		}
	}
}
