// Package demo plays two incidents that need no root, and shows what the collector
// finds: a real backup that slows a web site down, and a surge of visitors beside
// a backup that harms nobody.
package demo
