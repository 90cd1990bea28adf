// Sends what one line of JSON on stdin says, by Go's net/http, and prints one line of JSON:
// for each request the status, the body and the error, if any.
package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

type given struct {
	URL, User, Word, Token, Way string
	Sizes                       []int
}

func request(g given, size int) (*http.Request, error) {
	method, body := "GET", io.Reader(nil)
	if size > 0 {
		method, body = "POST", strings.NewReader(strings.Repeat("x", size))
	}
	if g.Way == "chunked" { // a reader whose length net/http doesn't know
		body = io.MultiReader(body)
	}
	r, err := http.NewRequest(method, g.URL, body)
	if err != nil {
		return nil, err
	}
	switch {
	case g.Token != "":
		r.Header.Set("Authorization", "Bearer "+g.Token)
	case g.Way == "url":
		r.URL.User = url.UserPassword(g.User, g.Word)
	case g.User != "":
		r.SetBasicAuth(g.User, g.Word)
	}
	return r, nil
}

func send(client *http.Client, g given, size int) [3]any {
	r, err := request(g, size)
	if err != nil {
		return [3]any{nil, "", err.Error()}
	}
	answer, err := client.Do(r)
	if err != nil {
		return [3]any{nil, "", err.Error()}
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return [3]any{answer.StatusCode, "", err.Error()}
	}
	return [3]any{answer.StatusCode, string(body), nil}
}

func main() {
	var g given
	if err := json.NewDecoder(os.Stdin).Decode(&g); err != nil {
		panic(err)
	}
	client := &http.Client{Timeout: 30 * time.Second}
	answers := [][3]any{}
	for _, size := range g.Sizes {
		answers = append(answers, send(client, g, size))
	}
	if err := json.NewEncoder(os.Stdout).Encode(answers); err != nil {
		panic(err)
	}
}
