# covers: ADD --unpack
FROM scratch
ADD --unpack=true https://example.com/a.tar.gz /a/
ADD --unpack=false b.tar.gz /b/
ADD --unpack c.tar.gz /c/
