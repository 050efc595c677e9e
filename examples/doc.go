// Package examples holds complete configurations, which tests read.
package examples
