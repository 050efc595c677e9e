// Package journaltest has file systems run full, for tests of what is kept in a journal.
package journaltest
