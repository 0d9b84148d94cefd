# A branch that has moved on: the checksum is the commit that is fetched.
# covers: ADD git fetch-by-commit
FROM scratch
ADD https://example.com/o/r.git?branch=main&checksum=24eb9b2759ee81aa3aec33f90065acbb19edc4f4&fetch-by-commit /a
ADD https://example.com/o/r.git?checksum=24eb9b2759ee81aa3aec33f90065acbb19edc4f4&fetch-by-commit=false /b
