# covers: ADD --keep-git-dir, ADD git checksum
FROM scratch
ADD --keep-git-dir=true https://example.com/o/r.git#main /a
ADD --checksum=24eb9b2759ee81aa3aec33f90065acbb19edc4f4 https://example.com/o/r.git /b
