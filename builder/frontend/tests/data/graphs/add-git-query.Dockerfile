# covers: ADD git query
FROM scratch
ADD https://example.com/o/r.git?ref=v1&subdir=x&submodules=false&keep-git-dir=true /a
ADD https://example.com/o/r.git?tag=v1&checksum=24eb9b2759ee81aa3aec33f90065acbb19edc4f4 /b
ADD https://example.com/o/r.git?branch=main&mtime=commit /c
