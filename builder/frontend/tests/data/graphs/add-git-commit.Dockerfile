# covers: ADD git commit, ADD git over ssh
FROM scratch
ADD https://example.com/o/r.git?commit=24eb9b2759ee81aa3aec33f90065acbb19edc4f4&subdir=/x/ /a
ADD git://example.com/o/r.git#refs/heads/main:dir/sub /b
ADD --checksum=24eb9b2759ee81aa3aec33f90065acbb19edc4f4 https://example.com/o/r.git?mtime=checkout /e
