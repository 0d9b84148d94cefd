// Command crc prints the CRC-32 of files, or of standard input.
//
// With cgo it is zlib that counts, without it is Go's own package.
package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
)

func sum(input io.Reader) (uint32, error) {
	digest := newDigest()
	_, err := io.Copy(digest, input)
	return digest.Sum32(), err
}

func sumFile(name string) (uint32, error) {
	file, err := os.Open(name)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	return sum(file)
}

func main() {
	if len(os.Args) == 2 && os.Args[1] == "--version" {
		fmt.Printf("crc with %s for %s/%s\n", engine(), runtime.GOOS, runtime.GOARCH)
		return
	}
	code := 0
	show := func(name string, crc uint32, err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, "crc:", err)
			code = 1
			return
		}
		fmt.Printf("%08x  %s\n", crc, name)
	}
	for _, name := range os.Args[1:] {
		crc, err := sumFile(name)
		show(name, crc, err)
	}
	if len(os.Args) == 1 {
		crc, err := sum(os.Stdin)
		show("-", crc, err)
	}
	os.Exit(code)
}
