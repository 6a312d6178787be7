// Package hdr holds a header for the assembly of another package.
package hdr
