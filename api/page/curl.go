package main

import (
	"net/url"
	"strings"
)

// curl returns an example of the request as a curl command. It uses the examples of the parameters and the first
// example of the body. The shell variables $URL, $TOKEN and $KEY stand for the server, the token and the encryption
// key.
func curl(path, method string, item, described node) string {
	var query []string
	var options []string
	if tokenOf(described) != "without a token" {
		options = append(options, `-H "Authorization: Bearer $TOKEN"`)
	}
	for _, parameter := range append(item.at("parameters").items(), described.at("parameters").items()...) {
		parameter = parameter.resolved()
		name, value := parameter.at("name").text(), parameter.at("example").text()
		switch parameter.at("in").text() {
		case "path":
			path = strings.ReplaceAll(path, "{"+name+"}", url.PathEscape(value))
		case "query":
			query = append(query, name+"="+url.QueryEscape(value))
		case "header":
			if name == "X-Encryption-Key" {
				options = append(options, `-H "X-Encryption-Key: $KEY"`)
			}
		}
	}
	body := exampleBody(described)
	if body.exists() {
		options = append(options, "-H 'Content-Type: application/json'",
			"-d '"+strings.ReplaceAll(body.json(), "'", `'\''`)+"'")
	}
	command := "curl"
	switch {
	case method == "POST" && body.exists(), method == "GET": // curl chooses this method by itself
	default:
		command += " -X " + method
	}
	if len(query) > 0 {
		command += ` "$URL` + path + "?" + query[0] + `"`
	} else {
		command += ` "$URL` + path + `"`
	}
	for _, option := range options {
		command += " \\\n  " + option
	}
	return command
}

// exampleBody returns the first example of the request body, or the zero node if the body has no example.
func exampleBody(described node) node {
	media := described.at("requestBody", "content", "application/json")
	if one := media.at("example"); one.exists() {
		return one
	}
	for _, each := range media.at("examples").pairs() {
		return each.at("value")
	}
	return node{}
}
