/* gz: compresses standard input to standard output in gzip's format; with -d, the other way. */

#include <stdio.h>
#include <string.h>
#include <zlib.h>

/* Feeds standard input through inflate() or deflate() until its end. */
static int pump(z_stream *stream, int (*step)(z_stream *, int))
{
	static unsigned char in[1 << 16], out[1 << 16];
	int flush = Z_NO_FLUSH, result = Z_OK;

	while (result != Z_STREAM_END) {
		if (stream->avail_in == 0 && flush == Z_NO_FLUSH) {
			stream->next_in = in;
			stream->avail_in = fread(in, 1, sizeof in, stdin);
			if (ferror(stdin))
				return Z_ERRNO;
			if (feof(stdin))
				flush = Z_FINISH;
		}
		stream->next_out = out;
		stream->avail_out = sizeof out;
		result = step(stream, flush);
		/* Z_BUF_ERROR is fatal only when there is nothing more to give. */
		if (result != Z_OK && result != Z_STREAM_END &&
		    (result != Z_BUF_ERROR || (flush == Z_FINISH && stream->avail_out != 0)))
			return result;
		size_t made = sizeof out - stream->avail_out;
		if (fwrite(out, 1, made, stdout) != made)
			return Z_ERRNO;
	}
	return fflush(stdout) == 0 ? Z_OK : Z_ERRNO;
}

int main(int argc, char **argv)
{
	const int gzip = 16; /* added to the window bits: gzip's header instead of zlib's */
	z_stream stream = {0};
	int result;

	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		printf("gz with zlib %s\n", zlibVersion());
		return 0;
	}
	if (argc == 2 && strcmp(argv[1], "-d") == 0) {
		result = inflateInit2(&stream, MAX_WBITS + gzip);
		if (result == Z_OK)
			result = pump(&stream, inflate);
		inflateEnd(&stream);
	} else if (argc == 1) {
		result = deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, MAX_WBITS + gzip, 8,
				      Z_DEFAULT_STRATEGY);
		if (result == Z_OK)
			result = pump(&stream, deflate);
		deflateEnd(&stream);
	} else {
		fputs("usage: gz [-d] < INPUT > OUTPUT\n", stderr);
		return 2;
	}
	if (result != Z_OK) {
		fprintf(stderr, "gz: %s\n", result == Z_ERRNO ? "cannot read or write" : zError(result));
		return 1;
	}
	return 0;
}
