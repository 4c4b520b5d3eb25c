package ssmprovider

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/confmap"
)

// store speaks Systems Manager's JSON protocol as far as GetParameter goes.
func store(t *testing.T, parameters map[string]string) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		var want struct {
			Name           string
			WithDecryption bool
		}
		if err := json.NewDecoder(q.Body).Decode(&want); err != nil || q.Header.Get("X-Amz-Target") != "AmazonSSM.GetParameter" || !want.WithDecryption {
			t.Errorf("%v %+v %v", q.Header, want, err)
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		value, found := parameters[want.Name]
		if !found {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = w.Write([]byte(`{"__type":"ParameterNotFound"}`))
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"Parameter": map[string]any{"Name": want.Name, "Value": value}})
	}))
	t.Cleanup(server.Close)
	for name, value := range map[string]string{"AWS_ENDPOINT_URL_SSM": server.URL, "AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret",
		"AWS_CONFIG_FILE": "/nowhere", "AWS_SHARED_CREDENTIALS_FILE": "/nowhere", "AWS_EC2_METADATA_DISABLED": "true"} {
		t.Setenv(name, value)
	}
}

func TestRetrieve(t *testing.T) {
	store(t, map[string]string{"/app/key": "s3cret", "json": `{"a":"b","n":7}`, "number": "42"})
	p := NewFactory().Create(confmap.ProviderSettings{})
	for uri, want := range map[string]any{
		"ssm:/app/key": "s3cret", "ssm:json#a": "b", "ssm:number": 42, "ssm:none:-other": "other", "ssm:/app/key:-other": "s3cret",
	} {
		got, err := p.Retrieve(t.Context(), uri, nil)
		if err != nil {
			t.Errorf("%s: %v", uri, err)
			continue
		}
		if raw, err := got.AsRaw(); err != nil || raw != want {
			t.Errorf("%s: %v %v", uri, raw, err)
		}
	}
	for uri, says := range map[string]string{"ssm:none": "ParameterNotFound", "ssm:json#z": `no key "z"`, "ssm:/app/key#a": "not a JSON object", "ssm:": "not ssm:NAME", "s3:x": "not ssm:NAME"} {
		if _, err := p.Retrieve(t.Context(), uri, nil); err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", uri, err)
		}
	}
}
